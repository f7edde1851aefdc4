import type { EntryType } from '../format/manifest-types.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from './subject.ts'
import { cgi } from './targets/cgi.ts'
import { gunicorn } from './targets/gunicorn.ts'
import { modWsgi } from './targets/mod-wsgi.ts'
import { nginx } from './targets/nginx.ts'
import { systemd } from './targets/systemd.ts'
import { uwsgi } from './targets/uwsgi.ts'

export interface EmitTarget {
  /** Entry types that it runs; static archives all do. */
  readonly runs: readonly EntryType[]
  /** Options that mean something to it, besides `mount`. */
  readonly options: readonly string[]
  make(subject: EmitSubject, settings: EmitSettings): EmittedFile[]
}

const ANY: readonly EntryType[] = ['node', 'fetch', 'server', 'wsgi', 'asgi', 'cgi']
const APP = ['user', 'cache', 'data', 'config', 'configFile']
const WORKERS = ['processes', 'threads']

export const TARGETS = {
  gunicorn: { runs: ['wsgi'], options: [...APP, ...WORKERS, 'python', 'host', 'port', 'socket'], make: gunicorn },
  uwsgi: { runs: ['wsgi'], options: [...APP, ...WORKERS, 'python', 'host', 'port', 'socket'], make: uwsgi },
  mod_wsgi: { runs: ['wsgi'], options: [...APP, ...WORKERS, 'python', 'daemon'], make: modWsgi },
  cgi: { runs: ['wsgi', 'asgi'], options: [...APP, 'python'], make: cgi },
  nginx: { runs: ANY, options: ['host', 'port', 'socket', 'uwsgi'], make: nginx },
  systemd: { runs: ANY, options: [...APP, 'host', 'port'], make: systemd },
} as const satisfies Record<string, EmitTarget>

export type TargetName = keyof typeof TARGETS
