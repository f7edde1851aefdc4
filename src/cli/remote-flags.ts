import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { asZappError, fail } from '../errors.ts'
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

/** @throws ZappError USAGE; ADMIN_UNREACHABLE, ADMIN_TOKEN where nothing tells of a host; NOT_FOUND, IO for the token's file */
export async function openRemote(ui: Ui, { to, tokenFile }: RemoteFlags, command: string): Promise<Remote> {
  if (to !== undefined && !/^(?:https?:\/\/|unix:.)/.test(to)) {
    throw usage(`--to must be an http or https URL, or unix:<socket>, got ${JSON.stringify(to)}`, command)
  }
  const given = tokenFile === undefined ? ui.io.env.ZAPP_TOKEN : await readToken(ui.path(tokenFile))
  const state = to === undefined || !given ? await stateFolder(ui) : ''
  const url = to ?? `unix:${join(state, ADMIN_SOCKET)}`
  return new Remote({ url, token: given || (await ownToken(state, to)), signal: ui.io.signal })
}

async function stateFolder(ui: Ui): Promise<string> {
  const { ZAPP_STATE } = ui.io.env
  if (ZAPP_STATE) return ui.path(ZAPP_STATE)
  return stateLocation().catch((error) => {
    const { code, args } = asZappError(error)
    if (code !== 'STATE_NONE') throw error
    throw fail('ADMIN_UNREACHABLE', '', { url: 'the state folder of this user', reason: args.reason ?? '' }, error)
  })
}

/** The one that a host on this machine has made. @param to the address that was named */
async function ownToken(state: string, to: string | undefined): Promise<string> {
  try {
    return await readToken(join(state, ADMIN_TOKEN))
  } catch (error) {
    if (to !== undefined) throw fail('ADMIN_TOKEN', '', {}, error)
    const isMissing = asZappError(error).code === 'NOT_FOUND'
    const reason = isMissing
      ? 'no host was ever started with this state folder'
      : 'its token is not readable for this user'
    throw fail('ADMIN_UNREACHABLE', '', { url: `unix:${join(state, ADMIN_SOCKET)}`, reason }, error)
  }
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
