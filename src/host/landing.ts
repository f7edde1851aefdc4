import { createHash } from 'node:crypto'
import { ERRORS } from '../errors.ts'
import { type AppState, type AppView, isUp } from './app-view.ts'

const STYLE = `
:root { color-scheme: light dark; --paper: light-dark(#f7f7f5, #17181a); --card: light-dark(#fff, #212327); --ink: light-dark(#22252a, #e8eaed); --soft: light-dark(#666d76, #9aa1ab); --line: light-dark(#e3e3df, #32353a); --brand: light-dark(#0b63ce, #7ab4ff); --bad: light-dark(#b3261e, #ff9d94) }
* { box-sizing: border-box }
body { max-width: 60rem; margin: 0 auto; padding: clamp(1.5rem, 6vw, 4rem) 1.25rem; background: var(--paper); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif }
h1 { margin: 0 0 1.5rem; font-size: 1.6rem }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); gap: 1rem; margin: 0; padding: 0; list-style: none }
li { position: relative; padding: 1.1rem 1.25rem; border: 1px solid var(--line); border-radius: 0.9rem; background: var(--card) }
li:has(a:hover) { border-color: var(--brand) }
h2 { margin: 0; font-size: 1.1rem; overflow-wrap: anywhere }
a { color: var(--brand); text-decoration: none }
a::after { content: ""; position: absolute; inset: 0; border-radius: inherit }
a:focus-visible { outline: none }
a:focus-visible::after { outline: 3px solid var(--brand) }
p { margin: 0.4rem 0 0; overflow-wrap: anywhere }
.soft, footer { color: var(--soft); font-size: 0.9rem }
.bad { color: var(--bad) }
code { font: 0.9em ui-monospace, monospace }
footer { margin-top: 2rem }
`

/** The page runs nothing and asks no other host for anything; the policy says so to the browser. */
export const LANDING_HEADERS: Readonly<Record<string, string>> = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; img-src data:; frame-ancestors 'none'`,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
}

/**
 * What stands at `/` when no app does: the apps, with a link to each.
 * @param detail say why an app failed; what is wrong may tell more about this machine than strangers should know
 */
export function renderLanding(apps: readonly AppView[], detail: boolean): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Apps</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
<h1>${apps.length === 0 ? 'No apps yet' : apps.length === 1 ? '1 app' : `${apps.length} apps`}</h1>
<ul>
${apps.map((app) => renderApp(app, detail)).join('\n')}
</ul>
<footer>Served by Zapp</footer>
</html>
`
}

function renderApp(app: AppView, detail: boolean): string {
  const title = escapeHtml(app.title || app.name)
  const mount = `${app.mount}/`
  const lines = [
    `<h2>${isUp(app) ? `<a href="${escapeHtml(mount)}">${title}</a>` : title}</h2>`,
    app.description && `<p>${escapeHtml(app.description)}</p>`,
    `<p class="soft"><code>${escapeHtml(mount)}</code> ${escapeHtml(`${app.name} ${app.version}`.trim())}</p>`,
    app.state === 'starting' && '<p class="soft">Starting</p>',
    app.state === 'stopped' && '<p class="soft">Stopped</p>',
    app.error && `<p class="bad">${escapeHtml(`${TROUBLE[app.state]}: ${reason(app, detail)}`)}</p>`,
  ]
  return `<li>\n${lines.filter(Boolean).join('\n')}\n</li>`
}

const TROUBLE: Readonly<Record<AppState, string>> = {
  starting: '',
  live: '',
  sleeping: 'It did not start',
  degraded: 'The newest version failed',
  failed: 'Not available',
  stopped: '',
}

/** Why an app does not serve, in one line. */
export function reason({ error }: AppView, detail: boolean): string {
  if (!error) return ''
  return detail ? `${error.code}: ${error.message}` : `${error.code}, ${ERRORS[error.code].title}`
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ESCAPES[c] ?? c)
}
