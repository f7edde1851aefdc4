import { call, hasToken, setToken } from './api.js'
import { AppCard } from './app-card.js'
import { review } from './deploy.js'
import { at, setText } from './dom.js'

const EVERY_MS = 2000

/** @type {Map<string, AppCard>} */
const cards = new Map()
/** @type {number | undefined} */
let timer
let asking = false

async function refresh() {
  clearTimeout(timer)
  if (asking || !hasToken()) return
  asking = true
  try {
    const [host, apps, metrics] = await Promise.all(['host', 'apps', 'metrics'].map((path) => call('GET', path)))
    show(host, apps, metrics)
    at('connection').hidden = true
  } catch (error) {
    if (/** @type {any} */ (error).status === 401) return signOut('This token is not the one of this host.')
    at('connection').hidden = false
    setText(at('connection'), `The host does not answer: ${/** @type {Error} */ (error).message}`)
  } finally {
    asking = false
  }
  timer = setTimeout(refresh, document.hidden ? 10 * EVERY_MS : EVERY_MS)
}

/** @param {any} host @param {any[]} apps @param {any} metrics by id of the app */
function show(host, apps, metrics) {
  at('sign-in').hidden = true
  for (const id of ['apps', 'deploy', 'sign-out']) at(id).hidden = false
  setText(at('host'), `${host.urls.join('  ')}  ·  Zapp ${host.version}, Node ${host.node}`)
  at('empty').hidden = apps.length > 0
  const ids = new Set(apps.map(({ id }) => id))
  for (const [id, card] of cards) {
    if (ids.has(id)) continue
    card.remove()
    cards.delete(id)
  }
  for (const [index, app] of apps.entries()) {
    const card = cards.get(app.id) ?? new AppCard(app, refresh)
    cards.set(app.id, card)
    card.update(app, metrics[app.id])
    const list = at('list')
    if (list.children[index] !== card.element) list.insertBefore(card.element, list.children[index] ?? null)
  }
}

/** @param {string} why */
function signOut(why) {
  clearTimeout(timer)
  setToken(undefined)
  for (const card of cards.values()) card.remove()
  cards.clear()
  for (const id of ['apps', 'deploy', 'sign-out', 'connection']) at(id).hidden = true
  setText(at('host'), '')
  at('sign-in').hidden = false
  at('sign-in-error').textContent = why
  at('token').focus()
}

at('sign-in').addEventListener('submit', (event) => {
  event.preventDefault()
  const input = /** @type {HTMLInputElement} */ (at('token'))
  setToken(input.value.trim())
  input.value = ''
  refresh()
})
at('sign-out').addEventListener('click', () => signOut(''))

const picker = /** @type {HTMLInputElement} */ (at('file'))
at('deploy').addEventListener('click', () => picker.click())
picker.addEventListener('change', () => {
  const [file] = picker.files ?? []
  picker.value = ''
  if (file) review(file, refresh)
})

/** @param {DragEvent} event */
function holdsFile(event) {
  return hasToken() && event.dataTransfer?.types.includes('Files') && !document.querySelector('dialog[open]')
}
addEventListener('dragover', (event) => {
  event.preventDefault()
  at('drop').hidden = !holdsFile(event)
})
addEventListener('dragleave', (event) => {
  if (event.relatedTarget === null) at('drop').hidden = true
})
addEventListener('drop', (event) => {
  event.preventDefault()
  at('drop').hidden = true
  const [file] = event.dataTransfer?.files ?? []
  if (file && holdsFile(event)) review(file, refresh)
})
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh()
})

if (hasToken()) refresh()
else signOut('')
