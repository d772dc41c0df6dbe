// One picture on the page: a title above, a canvas, a layer for outlines on it, a colour bar and text below.

import { borderPath, strokeTwice } from "./paint.js"

export function element(kind, attributes = {}, ...children) {
  const made = document.createElement(kind)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

export class Panel {
  constructor(title, { bar = false, focus = false } = {}) {
    this.base = element("canvas", { class: "moram-pixels", role: "img" })
    this.over = element("canvas", { class: "moram-over", "aria-hidden": "true" })
    this.empty = element("span", { class: "moram-empty" })
    this.text = element("span", { class: "moram-text" })
    this.stack = element("div", { class: "moram-stack" }, this.base, this.over, this.empty)
    this.figure = element("figure", {}, element("figcaption", {}, title), this.stack)
    if (focus) this.base.tabIndex = 0
    if (bar) {
      this.bar = element("canvas", { class: "moram-bar", width: 256, height: 2, "aria-hidden": "true" })
      this.ends = element("div", { class: "moram-ends" })
      this.figure.append(this.bar, this.ends)
    }
    this.figure.append(this.text)
    this.drawn = {}
    this.width = this.height = 0 // on the page; asked for here, it would have to be laid out anew for each panel
  }
  // The panel has another size on the page.
  fit() {
    [this.width, this.height] = [this.over.clientWidth, this.over.clientHeight]
    this.smooth()
    if (this.marked) this.mark(...this.marked)
  }
  // A picture that is made smaller is smoothed.
  smooth() {
    this.base.style.imageRendering = this.width && this.width < this.base.width ? "auto" : ""
  }
  // Draw again only what depends on something that changed.
  update(part, key, draw) {
    const text = JSON.stringify(key)
    if (this.drawn[part] === text) return
    this.drawn[part] = text
    draw()
  }
  show(size, key, paint, label) {
    this.update("base", key, () => {
      const [H, W] = size
      Object.assign(this.base, { height: H, width: W })
      this.stack.style.aspectRatio = `${W} / ${H}`
      this.smooth()
      this.base.getContext("2d").putImageData(new ImageData(paint(), W, H), 0, 0)
    })
    if (this.base.getAttribute("aria-label") !== label) this.base.setAttribute("aria-label", label)
  }
  say(text, empty = "") {
    if (this.text.textContent !== text) this.text.textContent = text
    if (this.empty.textContent !== empty) this.empty.textContent = empty
  }
  mark(key, mask, size, pixel) {
    this.marked = [key, mask, size, pixel]
    const ratio = window.devicePixelRatio || 1, width = Math.round(this.width * ratio), height = Math.round(this.height * ratio)
    this.update("over", [key, width, height, pixel], () => {
      Object.assign(this.over, { width, height })
      const context = this.over.getContext("2d"), scale = [width / size[1], height / size[0]]
      if (mask) strokeTwice(context, borderPath(mask, size, scale), ratio)
      if (pixel.length) {
        const path = new Path2D(), [y, x] = pixel, around = 3 * ratio
        path.rect(x * scale[0] - around, y * scale[1] - around, scale[0] + 2 * around, scale[1] + 2 * around)
        strokeTwice(context, path, ratio)
      }
    })
  }
}
