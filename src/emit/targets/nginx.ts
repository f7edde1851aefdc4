import { address } from '../address.ts'
import { lines, steps } from '../lines.ts'
import { titleOf } from '../python-script.ts'
import { nginxString } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/** A site of nginx: in front of `zapp serve`, gunicorn or any HTTP server, or with `uwsgi` in front of uWSGI. */
export function nginx(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { manifest } = subject
  const { mount, host, port, socket, uwsgi } = settings
  const name = `${manifest.name}.nginx.conf`
  const upstream = `zapp_${manifest.name.replace(/[^a-z0-9]/g, '_')}`
  const hasWebSockets = manifest.routes.some(({ websocket }) => websocket)
  const pass = uwsgi ? toUwsgi(upstream) : toHttp(upstream, hasWebSockets)
  const text = lines(
    steps(
      `${titleOf(subject)} behind nginx`,
      ['Enable', `as /etc/nginx/sites-enabled/${name}; with TLS and a server_name of your own; nginx -s reload`],
      ['Redeploy', 'is what stands behind it to do'],
    ),
    '',
    `upstream ${upstream} {`,
    `  server ${socket === undefined ? address(host, port) : nginxString(`unix:${socket}`)};`,
    !uwsgi && '  keepalive 16;',
    '}',
    '',
    'server {',
    '  listen 127.0.0.1:80;',
    '  # The app decides how much it takes.',
    '  client_max_body_size 0;',
    ...(mount === '' ? ['/'] : [`= ${nginxString(mount)}`, nginxString(`${mount}/`)]).flatMap((location) => [
      '',
      `  location ${location} {`,
      ...pass.map((line) => `    ${line}`),
      '  }',
    ]),
    '}',
  )
  return [{ name, text }]
}

function toUwsgi(upstream: string): string[] {
  return [
    'include uwsgi_params;',
    '# What a client sends as "Proxy:" must not become a setting of programs that the app starts.',
    'uwsgi_param HTTP_PROXY "";',
    `uwsgi_pass ${upstream};`,
  ]
}

function toHttp(upstream: string, hasWebSockets: boolean): string[] {
  return [
    '# Without a path: the request goes on as it was sent, nothing decoded.',
    `proxy_pass http://${upstream};`,
    'proxy_http_version 1.1;',
    ...(hasWebSockets
      ? ['proxy_set_header Upgrade $http_upgrade;', 'proxy_set_header Connection $http_connection;']
      : ['proxy_set_header Connection "";']),
    'proxy_set_header Host $http_host;',
    '# zapp serve believes this and the next where its settings say so: "proxies": ["127.0.0.1"]',
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header Proxy "";',
  ]
}
