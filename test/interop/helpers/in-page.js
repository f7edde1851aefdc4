/*
 * Runs inside the page, as text: what tests ask of it. Each function gets and gives JSON.
 */

/** Drops a file on the page. @param {{ name: string, bytes: number[] }} file */
const dropFile = ({ name, bytes }) => {
  const data = new DataTransfer()
  data.items.add(new File([new Uint8Array(bytes)], name))
  document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))
}

/** How much wider than the screen the page is, in pixels. */
const overflow = () => document.documentElement.scrollWidth - innerWidth

/** Controls without a name that a screen reader could say. @returns {string[]} */
const unnamed = () =>
  [...document.querySelectorAll('button, a, input, summary')].flatMap((element) => {
    if (!element.checkVisibility()) return []
    const labels = /** @type {HTMLInputElement} */ (element).labels ?? []
    const name = element.getAttribute('aria-label') ?? element.textContent?.trim() ?? ''
    return name === '' && labels.length === 0 ? [element.outerHTML] : []
  })

/** Texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3). @returns {string[]} */
const lowContrast = () =>
  [...document.querySelectorAll('body *')].flatMap((element) => {
    const text = [...element.childNodes].find((node) => node.nodeType === 3 && node.textContent?.trim())
    if (!text || !element.checkVisibility()) return []
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(background(element))]
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    return ratio >= 4.5 ? [] : [`${ratio.toFixed(2)} ${text.textContent?.trim()}`]
  })

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true })

/** Any CSS colour as four bytes. @param {string} color @returns {number[]} */
function rgba(color) {
  if (!pixel) throw new Error('no canvas')
  pixel.clearRect(0, 0, 1, 1)
  pixel.fillStyle = color
  pixel.fillRect(0, 0, 1, 1)
  return [...pixel.getImageData(0, 0, 1, 1).data]
}

/** @param {number[]} color */
function luminance(color) {
  const [r = 0, g = 0, b = 0] = color.slice(0, 3).map((byte) => {
    const part = byte / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

/** The first colour behind an element that nothing shines through. @param {Element} element */
function background(element) {
  for (let at = /** @type {Element | null} */ (element); at; at = at.parentElement) {
    const color = rgba(getComputedStyle(at).backgroundColor)
    if (color[3] === 255) return color
  }
  return [255, 255, 255]
}

Object.assign(globalThis, { inPage: { dropFile, overflow, unnamed, lowContrast } })
