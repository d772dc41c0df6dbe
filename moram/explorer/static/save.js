// The maps that are seen, side by side in a PNG file.

export function savePanels(panels, { name, ink, paper, lines }) {
  const side = 480, gap = 24, top = 30 + 22 * lines.length
  const heights = panels.map(({ base }) => Math.round((side * base.height) / base.width))
  const sheet = document.createElement("canvas"), context = sheet.getContext("2d")
  Object.assign(sheet, { width: gap + panels.length * (side + gap), height: top + 34 + Math.max(...heights) + 70 })
  Object.assign(context, { fillStyle: paper })
  context.fillRect(0, 0, sheet.width, sheet.height)
  Object.assign(context, { fillStyle: ink, font: "16px sans-serif", imageSmoothingEnabled: false })
  lines.forEach((line, k) => context.fillText(line, gap, 30 + 22 * k))
  panels.forEach(({ figure, base, over, bar, ends, empty }, k) => {
    const x = gap + k * (side + gap), y = top + 30, below = y + heights[k] + 8
    Object.assign(context, { font: "bold 18px sans-serif", fillStyle: ink, textAlign: "left" })
    context.fillText(figure.querySelector("figcaption").textContent, x, y - 8)
    context.drawImage(base, x, y, side, heights[k])
    context.drawImage(over, x, y, side, heights[k])
    context.font = "14px sans-serif"
    if (!bar) return
    context.drawImage(bar, x, below, side, 16)
    const texts = [...ends.children].map(end => end.textContent), aligns = ["left", "center", "right"]
    texts.forEach((text, at) => { context.textAlign = aligns[at]; context.fillText(text, x + (at * side) / 2, below + 34) })
    context.textAlign = "center"
    if (empty.textContent) context.fillText(empty.textContent, x + side / 2, below + 52)
  })
  const link = document.createElement("a")
  link.download = `${name}.png`
  link.href = sheet.toDataURL("image/png")
  link.click()
}
