import { call, upload } from './api.js'
import { at, h, say } from './dom.js'
import { formatBytes } from './format.js'

const dialog = /** @type {HTMLDialogElement} */ (at('review'))
const go = /** @type {HTMLButtonElement} */ (at('review-go'))
const body = at('review-body')
const problem = at('review-error')

/** More than these say less: the rest is counted. */
const MAX_ROWS = 12

/**
 * Uploads a file, shows what it would change, and deploys it when its user says so.
 *
 * @param {File} file
 * @param {() => void} refresh
 */
export async function review(file, refresh) {
  const closing = new AbortController()
  at('review-title').textContent = `Deploy ${file.name}`
  problem.replaceChildren()
  go.disabled = true
  dialog.addEventListener('close', () => closing.abort(), { once: true })
  dialog.showModal()

  const bar = /** @type {HTMLProgressElement} */ (h('progress', { max: 1, value: 0, 'aria-label': 'Upload' }))
  const label = h('p', { className: 'soft' }, `Uploading ${formatBytes(file.size)}`)
  body.replaceChildren(label, bar)
  try {
    const plan = await upload(
      file,
      (part) => {
        bar.value = part
        label.textContent = part < 1 ? `Uploading: ${Math.round(100 * part)} %` : 'Checking every byte'
      },
      closing.signal,
    )
    body.replaceChildren(...describe(plan))
    if (plan.findings.length > 0) return
    await confirmedDeploy({ digest: plan.digest, name: file.name }, closing.signal)
    dialog.close()
    say(`${plan.name} ${plan.version} is live.`)
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError') return
    showProblem(error)
  } finally {
    refresh()
  }
}

/**
 * Resolves when it is deployed; a deploy that fails may be tried again.
 * @param {{ digest: string, name: string }} what @param {AbortSignal} signal
 */
function confirmedDeploy(what, signal) {
  return new Promise((resolve, reject) => {
    const stop = new AbortController()
    const leave = () => {
      stop.abort()
      reject(new DOMException('closed', 'AbortError'))
    }
    signal.addEventListener('abort', leave, { signal: stop.signal })
    go.disabled = false
    go.focus()
    go.addEventListener(
      'click',
      async () => {
        problem.replaceChildren()
        go.disabled = true
        go.textContent = 'Starting…'
        try {
          await call('POST', 'apps', { body: what })
          stop.abort()
          resolve(undefined)
        } catch (error) {
          showProblem(error)
          go.disabled = false
        } finally {
          go.textContent = 'Deploy'
        }
      },
      { signal: stop.signal },
    )
  })
}

/** @param {any} error */
function showProblem(error) {
  problem.replaceChildren(...troubles([error]))
}

/** @param {{ code?: string, message: string, fix?: string }[]} found */
function troubles(found) {
  return found.map(({ code, message, fix }) =>
    h('span', { className: 'trouble' }, ...(code ? [h('code', {}, code), ' '] : []), message, fix ? ` ${fix}` : ''),
  )
}

/** @param {any} plan @returns {HTMLElement[]} */
function describe({ id, name, version, live, diff, findings }) {
  const what = h('b', {}, `${name} ${version}`)
  if (findings.length > 0) {
    const list = h('div', { className: 'bad' }, ...troubles(findings))
    return [h('p', {}, what, ` would not start at ${id}:`), list]
  }
  if (!live) return [h('p', {}, what, ` would be new at ${id}.`)]
  if (!diff || diff.same) return [h('p', {}, what, ` has the content of ${live.version}, which serves at ${id}.`)]
  return [
    h('p', {}, what, ` would take the place of ${live.version} at ${id}.`),
    ...section('Routes', diff.routes.map(valueRow)),
    ...section('Needs', diff.needs.map(valueRow)),
    ...section('Settings', diff.settings.map(valueRow)),
    ...section('Packages', diff.packages.map(packageRow)),
    ...section('Files', [
      ...diff.files.added.map((/** @type {any} */ file) => row('added', file.path)),
      ...diff.files.removed.map((/** @type {any} */ file) => row('removed', file.path)),
      ...diff.files.changed.map((/** @type {any} */ file) => row('changed', file.path)),
    ]),
  ]
}

/** @param {string} title @param {HTMLElement[]} rows */
function section(title, rows) {
  if (rows.length === 0) return []
  const rest = rows.length - MAX_ROWS
  const shown = rows.slice(0, MAX_ROWS)
  if (rest > 0) shown.push(h('li', { className: 'soft' }, '', `and ${rest} more`))
  return [h('div', {}, h('h3', {}, `${title}: ${rows.length}`), h('ul', { className: 'changes' }, ...shown))]
}

/** @param {string} kind @param {string} text */
function row(kind, text) {
  return h('li', { className: kind }, h('span', {}, text))
}

/** @param {any} change */
function valueRow(change) {
  const { key } = change
  const [before, after] = ['old' in change, 'new' in change]
  const text = (/** @type {unknown} */ value) => (typeof value === 'string' ? value : JSON.stringify(value))
  if (!before) return row('added', `${key}  ${text(change.new)}`)
  if (!after) return row('removed', `${key}  ${text(change.old)}`)
  return row('changed', `${key}  ${text(change.old)} → ${text(change.new)}`)
}

/** @param {any} change */
function packageRow(change) {
  const [before, after] = [change.old.join(', '), change.new.join(', ')]
  if (!before) return row('added', `${change.name} ${after}`)
  if (!after) return row('removed', `${change.name} ${before}`)
  return row('changed', `${change.name} ${before} → ${after}`)
}
