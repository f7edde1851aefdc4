/** What a browser does of HTTP: keeps cookies, follows nothing by itself, sends forms. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, { readonly value: string; readonly path: string }>()

  constructor(port: number) {
    this.#origin = `http://127.0.0.1:${port}`
  }

  get(path: string): Promise<Response> {
    return this.#ask('GET', path)
  }

  /** As multipart/form-data where one of the values is a file, else urlencoded. */
  post(path: string, fields: Readonly<Record<string, string | Blob>>): Promise<Response> {
    const values = Object.entries(fields)
    const form = values.some(([, value]) => typeof value !== 'string') ? new FormData() : new URLSearchParams()
    for (const [name, value] of values) form.append(name, value as string)
    return this.#ask('POST', path, form)
  }

  /** The value of a hidden field of a page. */
  static field(page: string, name: string): string {
    const input = page.match(/<input[^>]*>/g)?.find((tag) => tag.includes(`name="${name}"`))
    return /value="(?<value>[^"]*)"/.exec(input ?? '')?.groups?.value ?? ''
  }

  /** Styles and scripts of a page that lies at `path`, as paths. */
  assets(page: string, path: string): string[] {
    const links = [...page.matchAll(/\b(?:src|href)="(?<url>[^"]+\.(?:css|js))"/g)].map(({ groups }) => groups!.url!)
    return [...new Set(links)].map((link) => new URL(link, this.#origin + path).pathname)
  }

  async #ask(method: string, path: string, body?: FormData | URLSearchParams): Promise<Response> {
    const sent = [...this.#cookies].filter(([, cookie]) => path.startsWith(cookie.path))
    const headers = {
      // Django asks where a form comes from.
      Referer: this.#origin + path,
      // uWSGI's http-socket closes it without saying so.
      Connection: 'close',
      Cookie: sent.map(([name, { value }]) => `${name}=${value}`).join('; '),
    }
    const init = { method, headers, redirect: 'manual', ...(body === undefined ? {} : { body }) } as const
    const answer = await fetch(this.#origin + path, init)
    for (const cookie of answer.headers.getSetCookie()) {
      const [pair = '', ...attributes] = cookie.split(/; ?/)
      const at = pair.indexOf('=')
      const cookiePath = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/'
      this.#cookies.set(pair.slice(0, at), { value: pair.slice(at + 1), path: cookiePath })
    }
    return answer
  }
}
