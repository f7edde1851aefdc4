/**
 * The admin API. The token goes into a header of every request and into no cookie, so that no other page can have this
 * browser act for its user.
 */

const KEY = 'zapp-token'

export class ApiError extends Error {
  /** @param {number} status @param {string} message @param {string} [fix] @param {string} [code] */
  constructor(status, message, fix = '', code = '') {
    super(message)
    this.status = status
    this.fix = fix
    this.code = code
  }
}

export function hasToken() {
  return sessionStorage.getItem(KEY) !== null
}

/** @param {string | undefined} token undefined: forget it */
export function setToken(token) {
  if (token === undefined) sessionStorage.removeItem(KEY)
  else sessionStorage.setItem(KEY, token)
}

function authorization() {
  return `Bearer ${sessionStorage.getItem(KEY) ?? ''}`
}

/**
 * @param {string} method
 * @param {string} path below /api/
 * @param {{ body?: unknown, signal?: AbortSignal }} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, { body, signal } = {}) {
  const response = await request(method, path, { body, signal })
  return response.status === 204 ? undefined : response.json()
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{ body: unknown, signal: AbortSignal | undefined }} options
 */
async function request(method, path, { body, signal }) {
  /** @type {Record<string, string>} */
  const headers = { Authorization: authorization() }
  if (body !== undefined) headers['Content-Type'] = 'application/json'
  const response = await fetch(`api/${path}`, {
    method,
    headers,
    cache: 'no-store',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  })
  if (!response.ok) throw toError(response.status, await response.text())
  return response
}

/** @param {number} status @param {string} text */
function toError(status, text) {
  try {
    const { error } = JSON.parse(text)
    return new ApiError(status, error.message, error.fix, error.code)
  } catch {
    return new ApiError(status, text.trim() || `The host answered ${status}.`)
  }
}

/**
 * Sends a file. Only XMLHttpRequest tells how far an upload is.
 *
 * @param {File} file
 * @param {(part: number) => void} onProgress 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export function upload(file, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    xhr.open('POST', `api/plan?name=${encodeURIComponent(file.name)}`)
    xhr.setRequestHeader('Authorization', authorization())
    xhr.setRequestHeader('Content-Type', 'application/vnd.zapp+zip')
    xhr.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0)
    xhr.onload = () => {
      if (xhr.status < 300) resolve(JSON.parse(xhr.responseText))
      else reject(toError(xhr.status, xhr.responseText))
    }
    xhr.onerror = () => reject(new ApiError(0, 'The connection to the host broke.'))
    xhr.onabort = () => reject(new DOMException('aborted', 'AbortError'))
    signal.addEventListener('abort', () => xhr.abort())
    xhr.send(file)
  })
}

/**
 * Lines of JSON as they come, until the signal or the host ends it.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(value: any) => void} onValue
 */
export async function follow(path, signal, onValue) {
  const response = await request('GET', path, { body: undefined, signal })
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const lines = (rest + value).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onValue(JSON.parse(line))
  }
}
