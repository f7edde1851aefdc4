import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves when a server answers with that text. @param {string} url @param {string} text */
export async function answers(url, text) {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok && (await answer.text()) === text) return
    await sleep(50)
  }
  throw new Error(`nobody answers at ${url}`)
}
