// What follows from a picture: maps in its size, limits, curves, outcomes. Computed when first asked for, and kept.

import { accuracyCurve, asFloats, cumulativeImportance, extremes, outcomes, upsample } from "./maths.js"
import { dimmed } from "./paint.js"

export class Facts {
  constructor(scene) {
    this.scene = scene
    this.kept = new Map()
  }
  once(key, make) {
    if (!this.kept.has(key)) this.kept.set(key, make())
    return this.kept.get(key)
  }
  get mask() {
    return this.scene.mask.byteLength ? this.once("mask", () => bytesOf(this.scene.mask)) : null
  }
  get image() { return this.once("image", () => bytesOf(this.scene.image)) }
  get grey() { return this.once("grey", () => dimmed(this.image)) }
  get names() { return this.scene.names }
  signed(name) { return this.scene.signed.includes(name) }
  values(name) {
    return this.once(name, () => {
      const { grid, size, names, maps, rows, columns } = this.scene, cells = grid[0] * grid[1], k = names.indexOf(name)
      const map = this.once("maps", () => asFloats(maps)).subarray(k * cells, (k + 1) * cells)
      return upsample(map, asFloats(rows), asFloats(columns), grid, size)
    })
  }
  range(name) { return this.once(`range ${name}`, () => extremes(this.values(name))) }
  size(name) { return Math.max(...this.range(name).map(Math.abs)) }
  limits(name, shown, oneScale) {
    const limit = (oneScale ? Math.max(...shown.map(other => this.size(other))) : this.size(name)) || 1
    return [this.signed(name) ? -limit : 0, limit]
  }
  cumulative(name, normalize) {
    return this.once(`${name}/${normalize}`, () => cumulativeImportance(this.values(name), normalize))
  }
  empty(name, normalize) {
    return this.once(`empty ${name}/${normalize}`, () => this.cumulative(name, normalize).every(share => share === 0))
  }
  // Of one r only: there are too many to keep.
  outcomes(name, normalize, r) {
    const last = this.kept.get(`outcomes ${name}`)
    if (last?.normalize === normalize && last.r === r) return last
    const found = { normalize, r, ...outcomes(this.cumulative(name, normalize), this.mask, r) }
    this.kept.set(`outcomes ${name}`, found)
    return found
  }
  curve(name, normalize) {
    return this.mask && this.once(`curve ${name}/${normalize}`, () => accuracyCurve(this.cumulative(name, normalize), this.mask))
  }
}

export function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}
