import { call } from './api.js'
import { Chart } from './chart.js'
import { confirmed, h, say, setText } from './dom.js'
import { formatAge, formatBytes, formatMs, formatRate, shortDigest } from './format.js'
import { LogView } from './log-view.js'
import { Traffic } from './traffic.js'

/** @type {Readonly<Record<string, string>>} */
const TONES = { live: 'good', sleeping: 'good', degraded: 'warn', failed: 'bad', stopped: '', starting: 'busy' }

/** One app of the list. It stays the same element for as long as the app is there, so that focus and logs do. */
export class AppCard {
  #app
  #refresh
  #state = h('p', { className: 'state' })
  #title = h('h2')
  #about = h('p', { className: 'soft' })
  #reason = h('div', { className: 'reason', hidden: true })
  #versions = h('ul', { className: 'versions' })
  #actions = h('div', { className: 'actions' })
  #rate = new Figure('Requests/s')
  #latency = new Figure('Latency')
  #memory = new Figure('Memory')
  #traffic = new Traffic()
  #log
  element

  /** @param {any} app as the API tells it @param {() => void} refresh asks for the list anew */
  constructor(app, refresh) {
    this.#app = app
    this.#refresh = refresh
    this.#log = new LogView(app.id)
    const more = h(
      'details',
      { className: 'more' },
      h('summary', { 'aria-label': `Versions and log of ${app.title || app.name}` }, 'Versions and log'),
      h(
        'div',
        { className: 'detail' },
        h('div', {}, h('h3', {}, 'Versions'), this.#versions, this.#actions),
        h('div', {}, h('h3', {}, 'Log'), this.#log.element),
      ),
    )
    more.addEventListener('toggle', () => {
      if (/** @type {HTMLDetailsElement} */ (more).open) this.#log.start()
      else this.#log.stop()
    })
    const figures = [this.#rate, this.#latency, this.#memory].map(({ element }) => element)
    const who = h('div', { className: 'who' }, this.#title, this.#about)
    this.element = h(
      'li',
      { className: 'card app' },
      h('div', { className: 'summary' }, who, ...figures, this.#state),
      this.#reason,
      more,
    )
  }

  /** @param {any} app @param {any} [metrics] its counters */
  update(app, metrics) {
    this.#app = app
    this.element.dataset.app = app.id
    this.element.dataset.state = app.state
    this.#state.dataset.tone = TONES[app.state] ?? ''
    setText(this.#state, app.state)
    this.#updateTitle(app)
    const parts = [app.host, `${app.mount}/`, app.description, app.draining > 0 && `${app.draining} draining`]
    setText(this.#about, parts.filter(Boolean).join(' · '))
    this.#updateReason(app)
    const { rate, ms } = this.#traffic.read(metrics)
    this.#rate.set(rate ?? 0, formatRate(rate))
    this.#latency.set(ms ?? 0, formatMs(ms))
    this.#memory.set(app.memory ?? 0, app.memory ? formatBytes(app.memory) : '–')
    this.#updateVersions(app)
    this.#updateActions(app)
  }

  remove() {
    this.#log.stop()
    this.element.remove()
  }

  /** @param {any} app */
  #updateTitle(app) {
    const text = app.title || app.name
    const key = `${text} ${app.version} ${app.url} ${app.state}`
    if (this.#title.dataset.key === key) return
    this.#title.dataset.key = key
    const open = app.url && ['live', 'sleeping', 'degraded'].includes(app.state)
    this.#title.replaceChildren(
      open ? h('a', { href: app.url, target: '_blank', rel: 'noopener noreferrer' }, text) : text,
      h('span', { className: 'version' }, `${app.name} ${app.version}`.trim()),
    )
  }

  /** @param {any} app */
  #updateReason({ error }) {
    this.#reason.hidden = !error
    if (!error) return
    const key = JSON.stringify(error)
    if (this.#reason.dataset.key === key) return
    this.#reason.dataset.key = key
    this.#reason.replaceChildren(
      h('p', {}, h('code', {}, error.code), ` ${error.message}`),
      ...(error.fix ? [h('p', {}, error.fix)] : []),
    )
  }

  /** @param {any} app */
  #updateVersions(app) {
    const key = JSON.stringify([app.versions, app.state])
    if (this.#versions.dataset.key === key) return
    this.#versions.dataset.key = key
    this.#versions.replaceChildren(
      ...app.versions.map((/** @type {any} */ one) => {
        const about = `${one.version || 'no version'}  ${shortDigest(one.digest)}`
        const when = h('time', { dateTime: one.deployedAt, className: 'soft' }, formatAge(one.deployedAt))
        const back = h('button', { type: 'button', 'aria-label': `Roll back to ${about}` }, 'Roll back')
        back.addEventListener('click', () => {
          this.#act(back, `rolled back to ${one.version}`, 'rollback', { digest: one.digest })
        })
        return h(
          'li',
          {},
          h('span', { className: 'what' }, about, ' ', when),
          one.current ? h('span', { className: 'soft' }, 'current') : back,
        )
      }),
    )
  }

  /** @param {any} app */
  #updateActions(app) {
    const isStopped = app.state === 'stopped'
    const key = String(isStopped)
    if (this.#actions.dataset.key === key) return
    this.#actions.dataset.key = key
    const what = app.title || app.name
    const button = (/** @type {string} */ text) =>
      h('button', { type: 'button', 'aria-label': `${text} ${what}` }, text)
    const [toggle, reload, undeploy] = [button(isStopped ? 'Start' : 'Stop'), button('Reload'), button('Undeploy')]
    toggle.addEventListener('click', () => {
      this.#act(toggle, isStopped ? 'started' : 'stopped', isStopped ? 'start' : 'stop')
    })
    reload.addEventListener('click', () => this.#act(reload, 'reloaded', 'restart'))
    undeploy.addEventListener('click', async () => {
      const text = `It stops answering at ${app.mount}/ at once. Its data folders are kept.`
      if (await confirmed({ title: `Undeploy ${what}?`, text, go: 'Undeploy' })) this.#act(undeploy, 'undeployed')
    })
    this.#actions.replaceChildren(toggle, ...(isStopped ? [] : [reload]), undeploy)
  }

  /**
   * @param {HTMLElement} button
   * @param {string} done
   * @param {string} [verb] undefined: delete it
   * @param {object} [body]
   */
  async #act(button, done, verb, body = {}) {
    const { id, title, name } = this.#app
    const path = `apps/${encodeURIComponent(id)}`
    button.setAttribute('aria-busy', 'true')
    Object.assign(button, { disabled: true })
    try {
      await (verb ? call('POST', `${path}/${verb}`, { body }) : call('DELETE', path))
      say(`${title || name} ${done}.`)
    } catch (error) {
      say(/** @type {Error} */ (error).message)
    } finally {
      button.removeAttribute('aria-busy')
      Object.assign(button, { disabled: false })
      this.#refresh()
    }
  }
}

class Figure {
  #chart = new Chart()
  #value = h('b', {}, '–')
  element

  /** @param {string} label */
  constructor(label) {
    this.element = h('div', { className: 'figure' }, h('h3', {}, label), this.#value, this.#chart.element)
  }

  /** @param {number} value @param {string} text */
  set(value, text) {
    this.#chart.push(value)
    setText(this.#value, text)
  }
}
