// The project's arithmetic in the browser: what moram.upsample and moram.metric compute, up to rounding.

export const NORMALIZATIONS = ["sum", "minmax", "clip", "abs"] // as in moram.metric

// The bytes of a trait, as the numbers that they are. A copy: bytes need not lie where floats may begin.
export function asFloats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
}

// rows [H, h] times cells [h, w] times columns [W, w] transposed: Lanczos along each axis.
export function upsample(cells, rows, columns, [h, w], [H, W]) {
  const half = new Float64Array(h * W), values = new Float32Array(H * W)
  for (let i = 0; i < h; i++) for (let x = 0; x < W; x++) {
    let sum = 0
    for (let j = 0; j < w; j++) sum += cells[i * w + j] * columns[x * w + j]
    half[i * W + x] = sum
  }
  for (let y = 0; y < H; y++) for (let x = 0; x < W; x++) {
    let sum = 0
    for (let i = 0; i < h; i++) sum += rows[y * h + i] * half[i * W + x]
    values[y * W + x] = sum
  }
  return values
}

export function extremes(values) {
  let low = Infinity, high = -Infinity
  for (const value of values) {
    if (value < low) low = value
    if (value > high) high = value
  }
  return [low, high]
}

// Step 2: R, which sums to 1, or is 0 where the sum was 0.
export function relevance(values, normalize) {
  const low = normalize === "minmax" ? extremes(values)[0] : 0
  const change = { sum: v => v, minmax: v => v - low, clip: v => Math.max(v, 0), abs: Math.abs }[normalize]
  const R = Float32Array.from(values, change)
  const total = Math.fround(R.reduce((sum, value) => sum + value, 0))
  return R.map(value => (total === 0 ? 0 : value / total))
}

// Step 3: each pixel's share of R in all pixels up to it. Equal values share the mean of the first and the last.
export function cumulativeImportance(values, normalize) {
  const R = relevance(values, normalize), ordered = R.slice().sort()
  const distinct = new Float32Array(R.length), share = new Float64Array(R.length)
  let count = 0, running = 0
  for (let k = 0; k < ordered.length;) {
    const value = ordered[k], first = running + value
    for (; k < ordered.length && ordered[k] === value; k++) running += value
    distinct[count] = value
    share[count++] = (first + running) / 2
  }
  return Float64Array.from(R, value => {
    let low = 0, high = count - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (distinct[middle] < value) low = middle + 1
      else high = middle
    }
    return share[low]
  })
}

// Steps 4 and 5: pixel accuracy at r = 0, 0.01, ..., 1, and the exact area under it.
export function accuracyCurve(cumulative, mask) {
  const steps = 100, inside = new Float64Array(steps + 2), outside = new Float64Array(steps + 2)
  let area = 0
  cumulative.forEach((share, p) => {
    let reached = Math.max(0, Math.min(steps, Math.floor(share * steps)))
    while (reached > 0 && reached / steps > share) reached--
    while (reached < steps && (reached + 1) / steps <= share) reached++
    const side = mask[p] ? inside : outside, right = Math.max(0, Math.min(1, share))
    side[share < 0 ? 0 : reached + 1]++ // how many of the r it reaches
    area += mask[p] ? right : 1 - right
  })
  const accuracy = []
  let black = inside.reduce((sum, n) => sum + n, 0), white = 0
  for (let k = 0; k <= steps; k++) {
    black -= inside[k]
    white += outside[k]
    accuracy.push((black + white) / cumulative.length)
  }
  return { accuracy, area: area / cumulative.length }
}

// Step 4 for one r. Each pixel: 0 left out, 1 false alarm, 2 missed, 3 found; and how many there are of each.
export function outcomes(cumulative, mask, r) {
  const kinds = new Uint8Array(cumulative.length), counts = [0, 0, 0, 0]
  for (let p = 0; p < kinds.length; p++) counts[kinds[p] = (mask && mask[p] ? 2 : 0) + (cumulative[p] >= r ? 1 : 0)]++
  return { kinds, counts }
}
