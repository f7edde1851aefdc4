import { shellWord } from '../../format/shell-word.ts'
import { lines, steps } from '../lines.ts'
import { systemdArgument, systemdWord } from '../quote.ts'
import type { EmittedFile } from '../subject.ts'
import { hardening, SERVICE } from './systemd.ts'

export interface HostSubject {
  /** The watched folder, absolute. */
  readonly folder: string
  /** Absent: what the settings say. */
  readonly host?: string
  readonly port?: number
  readonly user: string
}

const SETTINGS = '/etc/zapp/zapp.host.json'
const NAME = 'zapp.service'

/** A service that runs a host for a folder of apps. What it keeps is where systemd has such things. */
export function systemdHost({ folder, host, port, user }: HostSubject): EmittedFile[] {
  const words = [
    ...['zapp', 'serve', folder, '--settings', SETTINGS],
    ...(host === undefined ? [] : ['--host', host]),
    ...(port === undefined ? [] : ['--port', String(port)]),
    ...['--state', '%S/zapp-host', '--data', '%S/zapp', '--cache', '%C/zapp'],
  ]
  const text = lines(
    steps(
      'A folder of apps, served by zapp',
      ['Once', `useradd --system --user-group --home-dir /nonexistent --shell /usr/sbin/nologin ${user}`],
      ['', `install -d -m 755 /etc/zapp && install -m 640 -g ${user} zapp.host.json ${SETTINGS}`],
      ['', `install -d -m 755 -o ${user} -g ${user} ${shellWord(folder)}`],
      ['Enable', `as /etc/systemd/system/${NAME}: systemctl enable --now ${NAME}`],
      ['Reload', `systemctl reload ${NAME}`],
      ['Log', `journalctl -u ${NAME}`],
    ),
    '',
    '[Unit]',
    'Description=Zapp host',
    'After=network-online.target',
    'Wants=network-online.target',
    '# An empty folder is one whose apps were deleted, not one that is still to be mounted.',
    `RequiresMountsFor=${systemdWord(folder)}`,
    '',
    '[Service]',
    ...SERVICE,
    '# Ready is the host when every app was tried.',
    'TimeoutStartSec=10min',
    'WatchdogSec=60s',
    `ExecStart=${words.map((word) => (/^%[SC]/.test(word) ? word : systemdArgument(word))).join(' ')}`,
    'ExecReload=kill -HUP $MAINPID',
    `User=${user}`,
    '# Variables that "secrets" of the settings name.',
    'EnvironmentFile=-/etc/zapp/zapp.env',
    'StateDirectory=zapp-host zapp',
    'StateDirectoryMode=0700',
    'CacheDirectory=zapp',
    'CacheDirectoryMode=0700',
    'LogsDirectory=zapp',
    'LogsDirectoryMode=0750',
    ...hardening(port),
    '# Beside an archive that is refused stands a file with the reason; undeploying removes it.',
    `ReadWritePaths=${systemdWord(folder)}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
  )
  return [{ name: NAME, text }]
}
