// The explorer's view. The traits are the state; `draw` makes what is seen follow from them and from nothing else.

import { NORMALIZATIONS } from "./maths.js"
import { OUTCOMES, css, paintBar, paintImage, paintMap, paintOutcomes } from "./paint.js"
import { curveFrame, drawCurves } from "./curve.js"
import { savePanels } from "./save.js"
import { Facts, bytesOf } from "./facts.js"
import { Panel, element } from "./panel.js"
import { tellAtRest } from "./rest.js"

const number = (value, digits = 3) => Number(value.toPrecision(digits)).toString().replace("-", "−")
const signed = value => (value > 0 ? "+" : "") + number(value)
const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : "–")

// JupyterLab leaves the keys to us: else two d delete the cell, and arrows go to the next. It looks at what has the focus.
function keepKeys(root) {
  for (const stop of root.querySelectorAll(":is([tabindex], button, select, input):not([data-lm-suppress-shortcuts])"))
    stop.dataset.lmSuppressShortcuts = "true"
}

class View {
  constructor(model, el) {
    this.model = model
    this.el = el
    this.facts = new WeakMap() // scene -> Facts
    this.stop = new AbortController()
    this.build()
    this.listen() // drawn when it has a place on the page, of which the ResizeObserver tells
  }
  get(name) { return this.model.get(name) }
  set(changes, save = true) {
    for (const [name, value] of Object.entries(changes)) this.model.set(name, value)
    if (save) (this.atRest ?? this.model).save_changes()
  }
  get scene() {
    const kept = this.get("kept"), found = kept.length ? kept[this.get("position")] : this.get("scene")
    return found && found.names ? found : null
  }

  build() {
    const methods = this.methods = this.get("methods")
    this.alert = element("div", { class: "moram-alert", role: "alert" })
    this.name = element("strong")
    this.about = element("span")
    this.previous = element("button", { type: "button", "aria-label": "previous picture", title: "previous picture" }, "‹")
    this.next = element("button", { type: "button", "aria-label": "next picture", title: "next picture" }, "›")
    this.save = element("button", { type: "button", title: "save the maps as a PNG file" }, "Save PNG")
    const head = element("div", { class: "moram-head" }, this.previous, this.next, this.name, this.about, this.save)
    this.picture = new Panel("picture", { focus: true })
    this.truth = new Panel("true region")
    this.maps = new Map(methods.map(({ name, label }) => [name, new Panel(label, { bar: true, focus: true })]))
    this.kinds = new Map(methods.map(({ name, label }) => [name, new Panel(label)]))
    this.mapsRow = element("div", { class: "moram-maps", role: "group", "aria-label": "maps; arrow keys move the pixel that is read" },
      this.picture.figure, ...[...this.maps.values()].map(panel => panel.figure))
    this.units = element("p", { class: "moram-small" })
    this.curve = element("canvas", { class: "moram-curve", tabindex: 0, role: "slider", "aria-valuemin": 0, "aria-valuemax": 1,
      "aria-label": "threshold r, on the curves of pixel accuracy" })
    this.legend = element("ul", { class: "moram-legend" })
    this.curveBox = element("div", { class: "moram-curves" }, this.curve, this.legend)
    this.unknown = element("p", {}, "No true region is known for this picture: nothing says which pixels are right.")
    const swatches = [...OUTCOMES].reverse().map(({ label, colour }) =>
      element("li", {}, element("span", { class: "moram-swatch", style: `background: ${css(colour)}` }), label))
    this.key = element("ul", { class: "moram-key" }, element("li", {}, "of the region:"), ...swatches.slice(0, 2),
      element("li", {}, "of the rest:"), ...swatches.slice(2))
    this.kindsRow = element("div", { class: "moram-kinds" }, this.truth.figure, ...[...this.kinds.values()].map(panel => panel.figure))
    const right = element("div", {}, this.key, this.kindsRow)
    this.status = element("div", { class: "moram-hidden", role: "status" })
    this.files = element("input", { type: "file", multiple: "", accept: "image/*", hidden: "" })
    this.root = element("div", { class: "moram-view" }, this.alert, head, this.mapsRow, this.units,
      element("div", { class: "moram-lower" }, element("div", {}, this.curveBox, this.unknown), right), this.status, this.files)
    this.el.append(this.root)
    keepKeys(this.root)
  }

  listen() {
    const { signal } = this.stop, later = () => this.schedule()
    for (const name of this.get("drawn_by")) this.model.on(`change:${name}`, later)
    this.forget = () => this.get("drawn_by").forEach(name => this.model.off(`change:${name}`, later))
    this.previous.addEventListener("click", () => this.go(-1), { signal })
    this.next.addEventListener("click", () => this.go(1), { signal })
    this.save.addEventListener("click", () => this.savePicture(), { signal })
    for (const panel of [this.picture, ...this.maps.values()]) this.listenToReader(panel.base, signal)
    this.listenToCurve(signal)
    const resized = new ResizeObserver(later), themed = new MutationObserver(later)
    for (const node of [this.root, this.curve]) resized.observe(node)
    const panels = new Map([this.picture, this.truth, ...this.maps.values(), ...this.kinds.values()].map(panel => [panel.over, panel]))
    const fitted = new ResizeObserver(entries => { for (const { target } of entries) panels.get(target).fit() })
    for (const node of panels.keys()) fitted.observe(node)
    const calm = async () => { this.atRest = (await tellAtRest(this.model, this.get("calm")))[0] } // the first is this view
    this.model.on("change:calm", calm)
    calm()
    for (const node of [document.documentElement, document.body]) themed.observe(node, { attributes: true })
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later, { signal })
    this.files.addEventListener("change", () => { this.sendFiles([...this.files.files]); this.files.value = "" }, { signal })
    document.addEventListener("click", ({ target }) => { // the button is among the other controls
      const around = target.closest?.(".moram-upload")?.closest(".moram-explorer")
      if (around && around === this.el.closest(".moram-explorer")) this.files.click()
    }, { signal })
    signal.addEventListener("abort", () => {
      for (const observer of [resized, fitted, themed]) observer.disconnect()
      this.model.off("change:calm", calm)
      this.forget()
    })
  }
  schedule() {
    this.waiting ??= requestAnimationFrame(() => { this.waiting = undefined; this.draw() })
  }
  remove() {
    cancelAnimationFrame(this.waiting)
    this.stop.abort()
  }

  go(step) {
    this.set({ position: Math.max(0, Math.min(this.get("count") - 1, this.get("position") + step)) })
  }
  savePicture() {
    const panels = [this.picture, ...[...this.maps.values()].filter(panel => !panel.figure.hidden)], dark = this.dark
    savePanels(panels, { name: this.scene.name.replace(/[^\w.-]+/g, "-"), ink: dark ? "#fff" : "#000", paper: dark ? "#111" : "#fff",
      lines: [`${this.scene.name}: ${this.about.textContent}`, "units of Y per cell"] })
  }
  // The pixel under the pointer, or moved by the arrow keys, is read in all maps.
  listenToReader(canvas, signal) {
    const read = pixel => this.set({ pixel }, false)
    canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
      const at = (offset, client, n) => Math.max(0, Math.min(n - 1, Math.floor((offset / client) * n)))
      read([at(offsetY, canvas.clientHeight, canvas.height), at(offsetX, canvas.clientWidth, canvas.width)])
    }, { signal })
    canvas.addEventListener("pointerleave", () => read([]), { signal })
    canvas.addEventListener("keydown", event => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key]
      if (event.key === "Escape") read([])
      if (!step) return
      event.preventDefault()
      event.stopPropagation()
      const far = event.shiftKey ? 10 : 1, size = [canvas.height, canvas.width]
      const from = this.get("pixel").length ? this.get("pixel") : size.map(n => n >> 1)
      read(from.map((at, axis) => Math.max(0, Math.min(size[axis] - 1, at + far * step[axis]))))
    }, { signal })
  }
  listenToCurve(signal) {
    const curve = this.curve, move = r => this.set({ r: Math.round(Math.max(0, Math.min(1, r)) * 100) / 100 })
    const drag = event => move(curveFrame(curve.clientWidth, curve.clientHeight).r(event.offsetX))
    curve.addEventListener("pointerdown", event => { curve.setPointerCapture(event.pointerId); drag(event) }, { signal })
    curve.addEventListener("pointermove", event => event.buttons && drag(event), { signal })
    curve.addEventListener("keydown", event => {
      const r = this.get("r"), to = { ArrowLeft: r - 0.01, ArrowDown: r - 0.01, ArrowRight: r + 0.01, ArrowUp: r + 0.01,
        PageDown: r - 0.1, PageUp: r + 0.1, Home: 0, End: 1 }[event.key]
      if (to === undefined) return
      event.preventDefault()
      event.stopPropagation()
      move(to)
    }, { signal })
  }
  // Files go to Python in parts that any connection carries. One that is too large is refused before it is read.
  async sendFiles(files) {
    const most = this.get("upload_limit"), good = files.filter(file => file.size <= most * 1e6), part = 4e6
    const refused = files.filter(file => file.size > most * 1e6).map(({ name, size }) =>
      `${name} has ${number(size / 1e6)} MB, and at most ${most} MB can be uploaded: save it smaller.`)
    if (!good.length) this.set({ alert: refused.join("\n") })
    for (const [k, file] of good.entries()) for (let from = 0; from === 0 || from < file.size; from += part) {
      const bytes = await file.slice(from, from + part).arrayBuffer(), last = from + part >= file.size
      this.model.send({ upload: file.name, refused: k || from ? null : refused, last }, undefined, [bytes])
    }
  }

  draw() {
    if (!this.el.isConnected) return
    const ink = getComputedStyle(this.el).color, place = [this.curve.clientWidth, this.curve.clientHeight] // before anything is written
    this.showAround(ink)
    if (this.alert.textContent !== this.get("alert")) this.alert.textContent = this.get("alert")
    const scene = this.scene
    this.root.classList.toggle("moram-none", !scene)
    this.waitFor(scene)
    if (!scene) return
    if (!this.facts.has(scene)) this.facts.set(scene, new Facts(scene))
    const facts = this.facts.get(scene), shown = facts.names.filter(name => this.get(`show_${name}`))
    const normalize = NORMALIZATIONS[this.get("normalize")], pixel = this.get("pixel")
    const state = { shown, normalize, r: this.get("r"), ink, place, pixel: pixel.length && pixel[0] < scene.size[0] && pixel[1] < scene.size[1] ? pixel : [] }
    this.drawHead(scene)
    this.drawMaps(facts, state)
    const drawn = this.drawOutcomes(facts, state)
    this.drawCurves(facts, state, drawn)
    this.speak(scene, state, drawn)
  }
  // A scene that does not come (a busy connection may drop messages) is asked for again, once.
  waitFor(scene) {
    const position = this.get("position"), there = scene && (scene.at ?? position) === position
    const wanted = !this.get("kept").length && !there && !this.get("alert")
    this.root.classList.toggle("moram-waiting", wanted && !!scene)
    if (!wanted || this.asked === position) return
    this.asked = position
    setTimeout(() => {
      if (this.get("position") === position && (this.scene?.at ?? (this.scene ? position : -1)) !== position) this.model.send({ again: position })
      this.asked = undefined
    }, 3000)
  }
  // The page around the view: whether its text is light, and whether the display options are unfolded.
  showAround(ink) {
    const [red, green, blue] = ink.match(/[\d.]+/g).map(Number), around = this.el.closest(".moram-explorer")
    this.dark = 0.3 * red + 0.6 * green + 0.1 * blue > 128
    around?.classList.toggle("moram-dark", this.dark)
    around?.classList.toggle("moram-folded", !this.get("unfolded"))
    if (around) keepKeys(around)
  }
  drawHead(scene) {
    const at = this.get("position"), facts = []
    if (scene.target !== null) facts.push(`target ${number(scene.target)}`)
    facts.push(`prediction ${number(scene.prediction)}`)
    facts.push(`${Math.round(100 * scene.raising)}% of the evidence raises it, ${Math.round(100 * (1 - scene.raising))}% lowers it`)
    if (scene.note) facts.push(scene.note)
    this.name.textContent = scene.name
    this.about.textContent = facts.join(" · ")
    this.units.textContent = this.get("units")
    this.previous.disabled = at <= 0
    this.next.disabled = at >= this.get("count") - 1
  }

  drawMaps(facts, { shown, pixel }) {
    const { scene } = facts, [H, W] = scene.size, outline = this.get("outline") ? facts.mask : null, id = scene.id
    const tables = bytesOf(this.get("tables")), raw = this.get("raw"), opacity = this.get("opacity"), oneScale = this.get("scale") === 0
    const where = pixel.length ? `row ${pixel[0]}, column ${pixel[1]}` : ""
    this.mapsRow.style.setProperty("--panels", shown.length + 1)
    this.picture.show([H, W], id, () => paintImage(facts.image), `picture ${scene.name}`)
    this.picture.mark([id, !!outline], outline, scene.size, pixel)
    this.picture.say(where)
    for (const [name, panel] of this.maps) {
      panel.figure.hidden = !shown.includes(name)
      if (panel.figure.hidden) continue
      const values = facts.values(name), limits = facts.limits(name, shown, oneScale), empty = facts.size(name) === 0
      const place = facts.signed(name) ? this.get("signed_from") + this.get("signed_colours") : this.get("colours")
      const table = tables.subarray(768 * place, 768 * (place + 1)), { label, nothing } = this.methods.find(method => method.name === name)
      const key = [id, limits, place, opacity, raw]
      const share = facts.size(name) / limits[1], faint = share < 0.1 ? `at most ${percent(share, 1)} of the scale` : ""
      const about = `${label}, values from ${facts.range(name).map(value => number(value)).join(" to ")}${empty ? `, empty: ${nothing}` : ""}`
      panel.show([H, W], key, () => paintMap(values, limits, table, opacity, raw ? null : facts.grey), about)
      panel.update("bar", [limits, place, opacity, raw], () => {
        panel.bar.getContext("2d").putImageData(new ImageData(paintBar(limits, table, opacity, raw), 256, 2), 0, 0)
        panel.ends.replaceChildren(...[limits[0], (limits[0] + limits[1]) / 2, limits[1]].map(value => element("span", {}, number(value))))
      })
      panel.mark([id, !!outline], outline, scene.size, pixel)
      panel.say(pixel.length ? signed(values[pixel[0] * W + pixel[1]]) : "", empty ? nothing : faint)
    }
  }

  drawOutcomes(facts, { shown, normalize, r }) {
    const { scene, mask } = facts, drawn = new Map()
    this.kindsRow.style.setProperty("--panels", shown.length + 1)
    this.key.hidden = !mask
    this.truth.figure.hidden = !mask
    if (mask) this.truth.show(scene.size, scene.id, () => paintOutcomes(mask.map(inside => 3 * inside), true), "true region")
    for (const [name, panel] of this.kinds) {
      panel.figure.hidden = !shown.includes(name)
      if (panel.figure.hidden) continue
      const { kinds, counts } = facts.outcomes(name, normalize, r)
      const [leftOut, falseAlarm, missed, found] = counts, inside = missed + found, outside = leftOut + falseAlarm
      const accuracy = mask ? (leftOut + found) / kinds.length : undefined
      const words = mask
        ? `${percent(found, inside)} found, ${percent(missed, inside)} missed; ${percent(falseAlarm, outside)} false alarm, ${percent(leftOut, outside)} left out`
        : `${percent(falseAlarm, kinds.length)} of the picture is black`
      const empty = facts.empty(name, normalize)
      panel.show(scene.size, [scene.id, normalize, r], () => paintOutcomes(kinds, !!mask), `${name}, thresholded: ${words}`)
      panel.say(words.replace("; ", "\n"), empty ? "empty after this treatment of negative values" : "")
      drawn.set(name, { accuracy, words, empty })
    }
    return drawn
  }

  drawCurves(facts, { shown, normalize, r, ink, place: [width, height] }, drawn) {
    const known = !!facts.mask, means = this.get("show_mean") ? this.get("means") : {}
    this.curveBox.hidden = !known
    this.unknown.hidden = known
    if (!known) return
    const lines = shown.map(name => {
      const { label, colour, dash } = this.methods.find(method => method.name === name)
      return { label, colour, dash, curve: facts.curve(name, normalize), mean: means[`${name}/${normalize}`], at: drawn.get(name).accuracy }
    })
    const ratio = window.devicePixelRatio || 1
    const key = JSON.stringify([facts.scene.id, shown, normalize, r, ink, width, height, Object.keys(means)])
    if (key === this.curvesDrawn) return
    this.curvesDrawn = key
    Object.assign(this.curve, { width: width * ratio, height: height * ratio })
    const context = this.curve.getContext("2d")
    context.scale(ratio, ratio)
    drawCurves(context, width, height, { lines, r, ink })
    this.legend.replaceChildren(...lines.map(({ label, colour, dash, curve, mean, at }) => {
      const line = `<svg width="44" height="8" aria-hidden="true"><path d="M0 4h44" stroke="${colour ?? "currentColor"}" stroke-width="2.4" stroke-dasharray="${dash.join(" ")}"/></svg>`
      const item = element("li")
      item.innerHTML = line
      item.append(` ${label}: area ${curve.area.toFixed(3)}${mean ? ` (mean ${mean.area.toFixed(3)})` : ""}, at r ${at.toFixed(3)}`)
      return item
    }))
    this.curve.setAttribute("aria-valuenow", r)
    this.curve.setAttribute("aria-valuetext", [`r ${r.toFixed(2)}`, ...lines.map(({ label, at }) => `${label} ${at.toFixed(3)}`)].join(", "))
  }

  // What is seen, in words, once the state has come to rest.
  speak(scene, { shown, r, pixel, normalize }, drawn) {
    clearTimeout(this.speaking)
    this.speaking = setTimeout(() => {
      const facts = this.facts.get(scene), label = name => this.methods.find(method => method.name === name).label
      const read = pixel.length ? shown.map(name => `${label(name)} ${signed(facts.values(name)[pixel[0] * scene.size[1] + pixel[1]])}`) : []
      const lines = pixel.length ? [`row ${pixel[0]}, column ${pixel[1]}`, ...read]
        : [scene.name, this.about.textContent, `r ${r.toFixed(2)}, ${normalize}`, ...shown.map(name => `${label(name)}: ${drawn.get(name).words}`)]
      this.status.textContent = lines.join("; ")
    }, 400)
  }
}

export default {
  render({ model, el }) {
    const view = new View(model, el)
    return () => view.remove()
  },
}
