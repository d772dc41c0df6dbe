// From numbers to pixels: every function returns or fills the bytes [H, W, 4] of an ImageData.

export const OUTCOMES = [ // by 2 * inside + black; far apart for colour-blind readers, too
  { label: "left out", colour: [242, 242, 242] },
  { label: "false alarm", colour: [230, 159, 0] },
  { label: "missed", colour: [86, 180, 233] },
  { label: "found", colour: [11, 60, 93] },
]
export const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`

export function paintImage(image) {
  const pixels = new Uint8ClampedArray((image.length / 3) * 4).fill(255)
  for (let p = 0; p < image.length / 3; p++) for (let c = 0; c < 3; c++) pixels[4 * p + c] = image[3 * p + c]
  return pixels
}

// The picture beneath a map: grey, of little contrast, neither black nor white.
export function dimmed(image) {
  const grey = new Float32Array(image.length / 3)
  for (let p = 0; p < grey.length; p++)
    grey[p] = 80 + 0.4 * (0.299 * image[3 * p] + 0.587 * image[3 * p + 1] + 0.114 * image[3 * p + 2])
  return grey
}

// Colours by look-up. Over a picture they are the more opaque the larger the value; without one they are bare.
export function paintMap(values, [low, high], table, opacity, grey) {
  const pixels = new Uint8ClampedArray(values.length * 4), limit = Math.max(Math.abs(low), Math.abs(high))
  for (let p = 0; p < values.length; p++) {
    const place = Math.max(0, Math.min(255, Math.round(((values[p] - low) * 255) / (high - low))))
    const alpha = grey ? opacity * Math.min(1, Math.abs(values[p]) / limit) : 1
    for (let c = 0; c < 3; c++)
      pixels[4 * p + c] = Math.round(alpha * table[3 * place + c] + (grey ? (1 - alpha) * grey[p] : 0))
    pixels[4 * p + 3] = 255
  }
  return pixels
}

// A bar of two rows: the colours over a light and over a dark part of the picture.
export function paintBar(limits, table, opacity, raw) {
  const [low, high] = limits, values = new Float32Array(512), grey = new Float32Array(512)
  for (let p = 0; p < 512; p++) {
    values[p] = low + ((high - low) * (p % 256)) / 255
    grey[p] = p < 256 ? 182 : 80
  }
  return paintMap(values, limits, table, opacity, raw ? null : grey)
}

// Four colours where the true region is known, else black and white.
export function paintOutcomes(kinds, known) {
  const pixels = new Uint8ClampedArray(kinds.length * 4).fill(255)
  for (let p = 0; p < kinds.length; p++)
    pixels.set(known ? OUTCOMES[kinds[p]].colour : kinds[p] ? [0, 0, 0] : [255, 255, 255], 4 * p)
  return pixels
}

// The border of a region as lines between pixels, for a canvas that is `scale` times as large.
export function borderPath(mask, [H, W], [across, down]) {
  const path = new Path2D(), inside = (y, x) => y >= 0 && y < H && x >= 0 && x < W && mask[y * W + x]
  const line = (y, x, toY, toX) => { path.moveTo(x * across, y * down); path.lineTo(toX * across, toY * down) }
  for (let y = 0; y <= H; y++) for (let x = 0; x <= W; x++) {
    if (!inside(y, x) !== !inside(y - 1, x)) line(y, x, y, x + 1)
    if (!inside(y, x) !== !inside(y, x - 1)) line(y, x, y + 1, x)
  }
  return path
}

export function strokeTwice(context, path, width) {
  for (const [colour, thick] of [["#000", width + 2], ["#fff", width]]) {
    context.strokeStyle = colour
    context.lineWidth = thick
    context.stroke(path)
  }
}
