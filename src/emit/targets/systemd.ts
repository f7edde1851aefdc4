import { shellWord } from '../../format/shell-word.ts'
import { lines, steps } from '../lines.ts'
import { onceSteps, redeployStep } from '../preparation.ts'
import { titleOf } from '../python-script.ts'
import { systemdArgument, systemdText, systemdWord } from '../quote.ts'
import type { EmitSettings, EmitSubject, EmittedFile } from '../subject.ts'

/** A service that runs `zapp serve`, with no more rights than that takes. */
export function systemd(subject: EmitSubject, settings: EmitSettings): EmittedFile[] {
  const { manifest, file } = subject
  const { mount, host, port, user, cache, data, secrets, envFile } = settings
  const name = `${manifest.name}.service`
  const words = [
    ...['zapp', 'serve', file, '--watch', '--host', host, '--port', String(port)],
    ...(mount === '' ? [] : ['--mount', mount]),
    ...['--cache', cache, '--data', data],
  ]
  const text = lines(
    steps(
      `${titleOf(subject)}, served by zapp`,
      ...onceSteps(settings),
      ['Enable', `as /etc/systemd/system/${name}: systemctl enable --now ${shellWord(name)}`],
      redeployStep(subject, ''),
      ['Log', `journalctl -u ${shellWord(name)}`],
    ),
    '',
    '[Unit]',
    `Description=${systemdText(titleOf(subject))}`,
    'After=network-online.target',
    'Wants=network-online.target',
    '',
    '[Service]',
    ...SERVICE,
    `ExecStart=${words.map(systemdArgument).join(' ')}`,
    `User=${user}`,
    ...Object.entries(settings.config).map(([key, value]) => `Environment=${systemdWord(`${key}=${value}`)}`),
    secrets.length > 0 && [`# ${secrets.join(', ')}`, `EnvironmentFile=${systemdText(envFile)}`],
    ...hardening(port),
    `ReadWritePaths=${[cache, data].map(systemdWord).join(' ')}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  )
  return [{ name, text }]
}

/** What every service of zapp says. */
export const SERVICE = [
  'Type=notify',
  '# It tells through systemd-notify, which is another process.',
  'NotifyAccess=all',
  'Restart=on-failure',
  '# Stopping waits for requests that run.',
  'TimeoutStopSec=45s',
  '# Its children go with it.',
  'KillMode=mixed',
  'UMask=0027',
]

/**
 * systemd.exec(5). Not MemoryDenyWriteExecute: V8 compiles at run time.
 * @param port below 1024 it takes a right to listen there
 */
export function hardening(port: number | undefined): string[] {
  const right = port !== undefined && port > 0 && port < 1024 ? 'CAP_NET_BIND_SERVICE' : ''
  const rights = [`CapabilityBoundingSet=${right}`, ...(right === '' ? [] : [`AmbientCapabilities=${right}`])]
  return ['NoNewPrivileges=yes', ...rights, ...SANDBOX]
}

const SANDBOX = [
  'ProtectSystem=strict',
  'ProtectHome=read-only',
  'PrivateTmp=yes',
  'PrivateDevices=yes',
  'ProtectClock=yes',
  'ProtectControlGroups=yes',
  'ProtectHostname=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictRealtime=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'SystemCallArchitectures=native',
]
