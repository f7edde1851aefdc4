/** A module of what was built. @param {string} path below dist/ */
export function dist(path) {
  return import(new URL(`../../dist/${path}`, import.meta.url).href)
}
