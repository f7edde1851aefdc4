import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { asZappError, type Finding } from '../errors.ts'
import { MemoryCache } from '../mount/memory-cache.ts'
import { cacheLocation } from '../runtimes/cache-location.ts'
import type { OpenAdmin } from './admin/open-admin.ts'
import { Apps } from './apps.ts'
import { checkConfigNames } from './config.ts'
import { Events } from './events.ts'
import { findAnswer, STARTING } from './find-answer.ts'
import { AddressLimit } from './front/address-limit.ts'
import { type Trust, trustIn } from './front/client.ts'
import { isLoopback, urlOfAddress } from './front/listen-address.ts'
import { Front } from './front.ts'
import type { Host } from './host.ts'
import { Inbox } from './inbox.ts'
import { createLimiter } from './limiter.ts'
import { HostLogs } from './logs/host-logs.ts'
import { makeRunnable } from './make-runnable.ts'
import { openState } from './open-state.ts'
import { RunningHost } from './running-host.ts'
import type { ServeOptions } from './serve-options.ts'
import { CurrentSettings } from './settings/current-settings.ts'
import { adminAddress, listenAddresses } from './settings/listen-settings.ts'
import type { HostSettings } from './settings/read-settings.ts'
import { settingsFromStart, settingsOfNoApp } from './settings/unused-settings.ts'
import type { CertificateNews } from './tls/certificates.ts'
import { sharedUser } from './users/shared-user.ts'
import { Validators } from './validation/validators.ts'

export type { AccessRecord } from './access-log.ts'
export type { AppView } from './app-view.ts'
export type { Host } from './host.ts'
export type { HostEvent } from './host-event.ts'
export type { ServeApp, ServeOptions } from './serve-options.ts'

const WATCH_MS = 10_000
/** Apps that start at once: they take processors and memory from those that serve. */
const STARTERS = 4
/** Apps that wake at once: somebody waits for each. */
const WAKERS = 8
/**
 * For the host's own process. What a connection needs is gone with it, but V8 sees much of it alive at each of its first,
 * frequent collections, and puts it among what lives long from then on. To collect that again was, with the sets that
 * Members are instead of, a fifth of the work for a connection with one request.
 */
const SHORT_LIVED = '--no-allocation-site-pretenuring'

/**
 * Serves archives and project folders over HTTP/1.1, in the clear or over TLS. Resolves when every app was tried; one that
 * is not up yet answers 503.
 *
 * @throws ZappError PORT_IN_USE, TLS_*, NOT_FOUND, IO; CONFIG_UNKNOWN; CACHE_*; HOST_RUNNING, STATE_*; MANIFEST_* for
 * the settings file; USAGE where there is no app; and without `watch`, whatever kept an app from going live that was
 * given by its own path. One that was found in a folder, or is watched, is reported through `log` and answers 503.
 */
export async function serve(options: ServeOptions, validators: Validators = new Validators()): Promise<Host> {
  const { log = () => {}, watch = options.state !== undefined } = options
  setFlagsFromString(SHORT_LIVED)
  const settings = await CurrentSettings.read(options)
  const atStart = settings.now
  const events = new Events()
  const onError = (error: unknown) => events.emit({ type: 'error', app: '', name: '', error, where: 'watching' })
  const onCertificate = (news: CertificateNews) => events.emit({ type: 'certificate', ...news })
  const warn = (finding: Finding) => events.emit({ type: 'warned', app: '', name: '', finding })
  const inbox = await Inbox.open(options.apps, { settings, watch, onError })
  const cache = await cacheLocation({ cache: options.cache })
  let trust: Trust | undefined
  const limit = new AddressLimit()
  useAddresses(settings.now)
  const { store, state, release } = await openState(options.state, cache, validators)
  const stopping = new AbortController()
  const logs = new HostLogs(events)
  /** Until the mounts are known nobody can say whose a path is; until all is up `serve` may still throw. */
  let phase: 'reading' | 'starting' | 'up' = 'reading'
  // Where an app's failure is thrown, it is not said a second time.
  events.subscribe((event) =>
    event.type === 'failed' && phase !== 'up' && inbox.isFatal(event.app.source) ? undefined : log(event),
  )

  const wakes = createLimiter(WAKERS)
  const memory = new MemoryCache()
  const apps = new Apps({
    store,
    state,
    place: (source, manifest) => inbox.place(source, manifest),
    settingsOf: (id, manifest) => settings.forApp(id, manifest, inbox.isAlone),
    isOurs: (path) => inbox.holds(path),
    isEnabled: (id, name) => settings.isEnabled(id, name),
    make(stored, { id, mount }, own, earlier, past) {
      // Whoever starts the host for one app wants to see whether it starts.
      const asleep = past === 'asleep' || (past !== 'new' && phase !== 'up' && !inbox.isAlone)
      const begins = !asleep ? 'awake' : past === 'first' ? 'checked' : 'asleep'
      return makeRunnable(stored, own, { id, mount, cache, earlier, begins }, { events, logs, front, wakes, memory })
    },
    limit: createLimiter(STARTERS),
    log: events.emit,
    onRoutes: () => front.claim(apps.slots.routes),
    onEnded(id) {
      events.forget(id)
      void logs.forget(id)
    },
    stopping: stopping.signal,
    watchMs: options.watchMs ?? WATCH_MS,
  })
  const front: Front = new Front({
    // A process that accepted connections itself would not know whom to trust, and could not be told to stop.
    single: inbox.isAlone && options.settings === undefined,
    trust: (address) => trust?.(address) ?? false,
    limit,
    find: (path, method, name) =>
      phase === 'reading' ? STARTING : findAnswer(apps, settings.hostOf(name), path, method, isLocal()),
    namesOf: (host) => settings.namesOf(host),
    log: (record) => logs.access(record),
    onCertificate,
  })
  /** Whether only this machine asks: it may be told more than strangers. */
  const isLocal = () => trust === undefined && front.listeners.every(({ address }) => isLoopback(address))
  let admin: OpenAdmin | undefined
  let closing: Promise<void> | undefined

  async function start(): Promise<void> {
    await store.collect()
    await inbox.readInto(apps)
    // All was judged: what starts now needs the memory and the processors.
    validators.rest()
    if (!inbox.isAlone) checkConfigNames(Object.keys(options.config ?? {}), apps.manifests)
    phase = 'starting'
    if (settings.namesUsers) await (await import('./users/user-place.ts')).openDataRoot(options.data)
    await apps.settle()
    warnOfSharedUser()
    warnOfNoApp()
    const failure = inbox.failureIn(apps)
    if (failure) throw failure
    await front.ready()
    await inbox.follow(apps)
  }

  function warnOfSharedUser(): void {
    const served = apps.slots.all.flatMap(({ id, serving }) =>
      serving ? [{ manifest: serving.manifest, user: settings.userOf(id, serving.manifest.name) }] : [],
    )
    const finding = sharedUser(served)
    if (finding) warn(finding)
  }

  function warnOfNoApp(): void {
    for (const finding of settingsOfNoApp(settings.now ?? {}, apps.slots.all)) warn(finding)
  }

  function useAddresses({ proxies = [], perAddress }: Partial<HostSettings> = {}): void {
    trust = trustIn(proxies)
    limit.use(perAddress, proxies)
  }

  async function reload(): Promise<void> {
    if (options.settings === undefined) return
    try {
      const next = await settings.readAgain()
      await front.listen(listenAddresses(next, options), () => logs.use(next, options.accessLog))
      for (const { deployment } of apps.slots.routes) deployment?.connections?.logAs(logs.format)
      useAddresses(next)
      settings.use(next)
      front.claim(apps.slots.routes)
    } catch (failure) {
      events.emit({ type: 'reloaded', error: asZappError(failure) })
      throw failure
    }
    await apps.replace()
    for (const finding of settingsFromStart(atStart, settings.now)) warn(finding)
    warnOfNoApp()
    events.emit({ type: 'reloaded' })
  }

  async function shutDown(): Promise<void> {
    stopping.abort()
    const ended = front.close()
    await inbox.close()
    await ended
    await apps.stop()
    events.journal.close()
    await admin?.close()
    await logs.close()
    await release()
  }

  async function close({ drainMs = 10_000 }: { readonly drainMs?: number } = {}): Promise<void> {
    const timer = setTimeout(() => front.cut(), drainMs)
    closing ??= shutDown()
    await closing.finally(() => clearTimeout(timer))
  }

  try {
    await logs.use(settings.now, options.accessLog)
    await front.listen(listenAddresses(settings.now, options))
    await start()
    phase = 'up'
    const running = new RunningHost({
      certificates: () => [...front.certificates, ...(admin?.certificates ?? [])],
      refusedConnections: () => limit.refused,
      listeners: () =>
        front.listeners.map(({ address, port }) => ({
          ...{ host: address.host, port, url: urlOfAddress(address, port) },
          isRedirect: address.redirect !== undefined,
        })),
      apps,
      store,
      events,
      settingsOf: (id, manifest) => settings.forApp(id, manifest, inbox.isAlone),
      isHost: (name) => settings.isHost(name),
      stopping: stopping.signal,
      reload,
      reopenLogs: () => logs.reopen(),
      close,
      admin: () => admin,
    })
    if (options.state === undefined) return running
    const { openAdmin } = await import('./admin/open-admin.ts')
    admin = await openAdmin(running, {
      ...{ state: resolve(options.state), at: adminAddress(settings.now, options.admin) },
      ...{ onCertificate, onWarning: warn },
    })
    return running
  } catch (error) {
    await close({ drainMs: 0 })
    throw error
  }
}
