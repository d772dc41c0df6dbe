// Pixel accuracy against r: axes, thick curves of this picture, thin ones of the mean, the line at r.

const MARGIN = { left: 46, right: 12, top: 18, bottom: 40 }

// Where r and an accuracy lie on a canvas of this size, and back.
export function curveFrame(width, height) {
  const across = width - MARGIN.left - MARGIN.right, down = height - MARGIN.top - MARGIN.bottom
  return {
    x: r => MARGIN.left + r * across,
    y: accuracy => MARGIN.top + (1 - accuracy) * down,
    r: x => Math.max(0, Math.min(1, (x - MARGIN.left) / across)),
  }
}

export function drawCurves(context, width, height, { lines, r, ink }) {
  const { x, y } = curveFrame(width, height)
  context.clearRect(0, 0, width, height)
  drawAxes(context, x, y, ink)
  for (const { curve, mean, colour, dash } of lines) {
    context.strokeStyle = colour ?? ink
    context.setLineDash(dash)
    if (mean) trace(context, mean.accuracy, x, y, 1)
    if (curve) trace(context, curve.accuracy, x, y, 2.4)
  }
  context.setLineDash([])
  context.strokeStyle = ink
  context.lineWidth = 1
  segment(context, x(r), y(0), x(r), y(1))
  context.fillStyle = ink
  context.beginPath()
  context.moveTo(x(r), y(1) + 2)
  context.lineTo(x(r) - 8, y(1) - 11)
  context.lineTo(x(r) + 8, y(1) - 11)
  context.fill()
  context.textAlign = r > 0.5 ? "right" : "left"
  context.fillText(`r = ${r.toFixed(2)}`, x(r) + (r > 0.5 ? -12 : 12), y(1) - 3)
  for (const { at, colour } of lines) {
    if (at === undefined) continue
    context.beginPath()
    context.arc(x(r), y(at), 4.5, 0, 7)
    context.fillStyle = colour ?? ink
    context.fill()
    context.strokeStyle = "#fff"
    context.stroke()
  }
}

function drawAxes(context, x, y, ink) {
  Object.assign(context, { fillStyle: ink, strokeStyle: ink, lineWidth: 1, font: "12px sans-serif" })
  context.setLineDash([])
  for (let k = 0; k <= 4; k++) {
    context.globalAlpha = k ? 0.2 : 0.7
    segment(context, x(0), y(k / 4), x(1), y(k / 4))
    segment(context, x(k / 4), y(0), x(k / 4), y(1))
    context.globalAlpha = 1
    context.textAlign = "right"
    context.fillText(String(k / 4), x(0) - 6, y(k / 4) + 4)
    context.textAlign = "center"
    context.fillText(String(k / 4), x(k / 4), y(0) + 24)
  }
  context.fillText("threshold r", x(0.5), y(0) + 38)
  context.save()
  context.translate(12, y(0.5))
  context.rotate(-Math.PI / 2)
  context.fillText("pixel accuracy", 0, 0)
  context.restore()
}

function segment(context, x, y, toX, toY) {
  context.beginPath()
  context.moveTo(x, y)
  context.lineTo(toX, toY)
  context.stroke()
}

function trace(context, accuracy, x, y, width) {
  context.lineWidth = width
  context.beginPath()
  accuracy.forEach((value, k) => context.lineTo(x(k / (accuracy.length - 1)), y(value)))
  context.stroke()
}
