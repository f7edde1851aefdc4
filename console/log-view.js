import { follow } from './api.js'
import { h } from './dom.js'

/** More lines than anybody reads here; the files have them all. */
const MAX_LINES = 500

/** The last lines of an app, and new ones as they come, while it is shown. */
export class LogView {
  element = h('pre', { className: 'log', tabIndex: 0, 'aria-label': 'Log' })
  /** @type {AbortController | undefined} */
  #running
  #path

  /** @param {string} id of the app */
  constructor(id) {
    this.#path = `apps/${encodeURIComponent(id)}/logs?follow=true&lines=200`
  }

  start() {
    this.stop()
    const running = new AbortController()
    this.#running = running
    this.element.replaceChildren()
    follow(this.#path, running.signal, (line) => this.#add(line)).catch((error) => {
      if (!running.signal.aborted) this.#add({ text: `The log broke off: ${error.message}`, stream: 'stderr' })
    })
  }

  stop() {
    this.#running?.abort()
  }

  /** @param {{ time?: string, stream?: string, text: string }} line */
  #add({ time, stream, text }) {
    const { element } = this
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40
    const clock = time ? `${new Date(time).toLocaleTimeString()}  ` : ''
    element.append(h('span', { className: stream === 'stderr' ? 'err' : '' }, `${clock}${text}\n`))
    while (element.childElementCount > MAX_LINES) element.firstElementChild?.remove()
    if (atEnd) element.scrollTop = element.scrollHeight
  }
}
