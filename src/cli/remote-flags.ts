import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { fail } from '../errors.ts'
import { ADMIN_SOCKET, ADMIN_TOKEN } from '../host/admin/places.ts'
import { stateLocation } from '../runtimes/cache-location.ts'
import { Remote } from './remote.ts'
import type { Ui } from './ui.ts'
import { usage } from './usage.ts'

/** How every command that speaks to a host finds it. */
export interface RemoteFlags {
  to?: string
  tokenFile?: string
  json?: boolean
}

export function addRemoteFlags(command: Command): Command {
  return command
    .option('--to <url>', 'its admin listener, or unix:<socket>; default: that of this machine')
    .option('--token-file <file>', "holds its token; default: ZAPP_TOKEN, else the host's own file")
}

/** @throws ZappError USAGE, NOT_FOUND, IO */
export async function openRemote(ui: Ui, { to, tokenFile }: RemoteFlags, command: string): Promise<Remote> {
  const { ZAPP_TOKEN, ZAPP_STATE } = ui.io.env
  if (to !== undefined && !/^(?:https?:\/\/|unix:.)/.test(to)) {
    throw usage(`--to must be an http or https URL, or unix:<socket>, got ${JSON.stringify(to)}`, command)
  }
  const isLocal = to === undefined || tokenFile === undefined
  const state = ZAPP_STATE ? ui.path(ZAPP_STATE) : isLocal ? await stateLocation() : ''
  const url = to ?? `unix:${join(state, ADMIN_SOCKET)}`
  const token =
    tokenFile === undefined && ZAPP_TOKEN
      ? ZAPP_TOKEN
      : await readToken(tokenFile ? ui.path(tokenFile) : join(state, ADMIN_TOKEN))
  return new Remote({ url, token, signal: ui.io.signal })
}

async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw fail('NOT_FOUND', file, { file }, error)
    throw fail('IO', file, { operation: 'reading the token', reason: message }, error)
  }
}

/** The path of an app in the API. */
export function appPath(app: string, verb = ''): string {
  return `/api/apps/${encodeURIComponent(app)}${verb && `/${verb}`}`
}
