const SVG = 'http://www.w3.org/2000/svg'
/** Two minutes at one reading every two seconds. */
const POINTS = 60

/** A line of recent readings, drawn for eyes only: the number beside it is its text. */
export class Chart {
  /** @type {number[]} */
  #values = []
  #line = document.createElementNS(SVG, 'path')
  #area = document.createElementNS(SVG, 'path')
  element = document.createElementNS(SVG, 'svg')

  constructor() {
    this.#area.classList.add('area')
    this.element.setAttribute('viewBox', `0 0 ${POINTS - 1} 1`)
    this.element.setAttribute('preserveAspectRatio', 'none')
    this.element.setAttribute('aria-hidden', 'true')
    this.element.append(this.#area, this.#line)
  }

  /** @param {number} value */
  push(value) {
    this.#values.push(value)
    if (this.#values.length > POINTS) this.#values.shift()
    const top = Math.max(...this.#values) || 1
    const first = POINTS - this.#values.length
    const points = this.#values.map((v, i) => `${first + i} ${(1 - 0.94 * (v / top) - 0.03).toFixed(3)}`)
    this.#line.setAttribute('d', `M${points.join('L')}`)
    this.#area.setAttribute('d', `M${first} 1L${points.join('L')}L${POINTS - 1} 1Z`)
  }
}
