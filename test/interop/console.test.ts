import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAdminHost } from '../helpers/admin-host.ts'
import { makeArchive } from '../helpers/make-archive.ts'
import { needPrograms } from './helpers/apt.ts'

/*
 * The console in Debian's Chromium, as its user has it: sign in, deploy, watch it go live, deploy a broken one, see why,
 * roll back. Screenshots lie in build/console/ for whoever wants to look.
 */

const SHOTS = join(import.meta.dirname, '../../build/console')
// Without these it looks for its maker's servers at every start, or wants a sandbox that root cannot have.
const FLAGS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync']

let browser: Browser
let page: Page
const requested: string[] = []
const complaints: string[] = []

await needPrograms({ chromium: 'chromium' })
const { dir, host, url, tokenFile } = await startAdminHost()

beforeAll(async () => {
  await mkdir(join(dir, 'uploads'))
  await mkdir(SHOTS, { recursive: true })
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS })
  page = await browser.newPage({ viewport: { width: 1200, height: 760 } })
  page.on('request', (request) => requested.push(request.url()))
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (line) => {
    if (line.text().includes('Content Security Policy')) complaints.push(line.text())
  })
  await page.goto(url)
})
afterAll(() => browser?.close())

async function archive(version: string, code: string): Promise<string> {
  const manifest = { name: 'shop', title: 'Shop', version, entry: { type: 'node', module: 'app.cjs' } }
  const made = await makeArchive(dir, manifest, { 'app.cjs': code })
  const file = join(dir, 'uploads', `shop-${version}.zapp`)
  await writeFile(file, await readFile(made))
  return file
}

const says = (text: string) =>
  `module.exports = (req, res) => { console.log(req.url); res.end(${JSON.stringify(text)}) }`
const served = async () => (await fetch(`${host.address.url}shop/`)).text()
const card = () => page.locator('[data-app="/shop"]')

const IN_PAGE = await readFile(join(import.meta.dirname, 'helpers/in-page.js'), 'utf8')

/** Calls one of the functions of helpers/in-page.js in the page. */
function inPage(name: string, argument?: unknown): Promise<unknown> {
  return page.evaluate(`(() => { ${IN_PAGE} })(); inPage.${name}(${JSON.stringify(argument)})`)
}

/** Chooses a file, reads what it would change, and deploys it. */
async function deploy(version: string, code: string): Promise<void> {
  await page.locator('#file').setInputFiles(await archive(version, code))
  await page.locator('#review-go:enabled').click()
}

test('a wrong token is refused, the right one lets in, by keyboard alone', async () => {
  await page.locator('#token').fill('wrong')
  await page.keyboard.press('Enter')
  await page.getByText('This token is not the one of this host.').waitFor()
  await page.locator('#token').fill((await readFile(tokenFile, 'utf8')).trim())
  await page.keyboard.press('Enter')
  await page.getByText('No apps yet').waitFor()
})

test('deploy, and watch it go live', async () => {
  await deploy('1.0.0', says('one'))
  await card().locator('.state', { hasText: 'live' }).waitFor()
  expect(await served()).toBe('one')
})

test('what a second version would change is shown before it is deployed', async () => {
  await page.locator('#file').setInputFiles(await archive('1.1.0', says('two')))
  await page.getByText('would take the place of 1.0.0').waitFor()
  expect(await page.locator('#review .changes').allInnerTexts()).toContainEqual(expect.stringContaining('app.cjs'))
  await page.screenshot({ path: join(SHOTS, 'review.png') })
  expect(await served()).toBe('one')
  await page.locator('#review-go').click()
  await expect.poll(served).toBe('two')
})

test('a broken one is refused with its reason; the old one serves', async () => {
  await deploy('1.2.0', 'throw new Error("no such table: orders")')
  await page.locator('#review-error', { hasText: 'no such table: orders' }).waitFor()
  await page.screenshot({ path: join(SHOTS, 'broken.png') })
  await page.keyboard.press('Escape')
  expect(await served()).toBe('two')
})

test('a file that is dropped on the page is taken', async () => {
  const bytes = [...(await readFile(await archive('1.3.0', says('three'))))]
  await inPage('dropFile', { name: 'shop-1.3.0.zapp', bytes })
  await page.locator('#review-go:enabled').click()
  await expect.poll(served).toBe('three')
})

test('live logs, and back to the version before in one click', async () => {
  await card().locator('summary').click()
  await fetch(`${host.address.url}shop/a-page-in-the-log`)
  await card().locator('.log', { hasText: 'a-page-in-the-log' }).waitFor()
  for (let i = 0; i < 200; i++) await fetch(`${host.address.url}shop/`)
  await page.screenshot({ path: join(SHOTS, 'console.png'), fullPage: true })
  await card().locator('button', { hasText: 'Roll back' }).first().click()
  await expect.poll(served).toBe('two')
  await card().locator('.version', { hasText: '1.1.0' }).waitFor()
})

test('it fits a phone: nothing is wider than the screen', async () => {
  await page.setViewportSize({ width: 360, height: 740 })
  expect(await inPage('overflow')).toBeLessThanOrEqual(0)
  await page.screenshot({ path: join(SHOTS, 'phone.png') })
  await page.setViewportSize({ width: 1200, height: 760 })
})

test('every control has a name, and every text enough contrast, in light and dark', async () => {
  expect(await inPage('unnamed')).toEqual([])
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await inPage('lowContrast')).toEqual([])
  }
})

test('undeploy asks first', async () => {
  await card().locator('button', { hasText: 'Undeploy' }).click()
  await page.locator('#confirm-go').click()
  await page.getByText('No apps yet').waitFor()
  expect((await fetch(`${host.address.url}shop/`)).status).toBe(404)
})

test('it asked its own host and nobody else, and broke no rule of its policy', () => {
  const origin = new URL(url).origin
  expect(requested.filter((url) => !url.startsWith(`${origin}/`))).toEqual([])
  expect(complaints).toEqual([])
})
