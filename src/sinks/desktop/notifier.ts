import { existsSync } from 'node:fs'
import { childEnvironment } from '../../io/process/environment.ts'
import { findExecutable } from '../../io/process/executable.ts'
import type { Notice } from './text.ts'

/** The machine as the sink sees it. */
export interface Desktop {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
}

/** One run of the program that shows a notification. */
export interface ShowRequest {
  readonly file: string
  readonly args: readonly string[]
  readonly input: string
  readonly env: Readonly<Record<string, string>>
}

export type Notifier =
  | { readonly ok: true; readonly requestOf: (notice: Notice) => ShowRequest }
  | { readonly ok: false; readonly problem: string }

/** How a notification is shown on this machine, or why none can be. */
export function notifierOf(desktop: Desktop): Notifier {
  switch (desktop.platform) {
    case 'linux':
      return linuxNotifier(desktop)
    case 'darwin':
      return found('/usr/bin/osascript', (notice) => ({ ...macOsRequest(notice), env: {} }))
    case 'win32':
      return found(powerShell(desktop.env), (notice) => ({ ...windowsRequest(notice), env: {} }))
    default:
      return { ok: false, problem: `there is no way to show one on ${desktop.platform}` }
  }
}

function found(file: string, requestOf: (notice: Notice) => Omit<ShowRequest, 'file'>): Notifier {
  if (!existsSync(file)) return { ok: false, problem: `there is no ${file}` }
  return { ok: true, requestOf: (notice) => ({ file, ...requestOf(notice) }) }
}

/** What `notify-send` needs to find the session of the user. */
const sessionVariables = ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY']

function linuxNotifier({ env }: Desktop): Notifier {
  const program = findExecutable('notify-send', { directory: '/', path: env['PATH'] ?? childEnvironment()['PATH']! })
  if (!program.ok) return { ok: false, problem: 'notify-send is not installed (the package libnotify-bin)' }
  const runtime = env['XDG_RUNTIME_DIR']
  const hasBus = env['DBUS_SESSION_BUS_ADDRESS'] || (runtime !== undefined && existsSync(`${runtime}/bus`))
  if (!hasBus) return { ok: false, problem: 'there is no session of a desktop (D-Bus)' }
  const session: Record<string, string> = {}
  for (const name of sessionVariables) if (env[name] !== undefined) session[name] = env[name]
  return {
    ok: true,
    requestOf: (notice) => ({ file: program.path, args: linuxArguments(notice), input: '', env: session }),
  }
}

/** The body is a little language: markup, and escapes with a backslash that `notify-send` itself resolves. */
export function linuxArguments({ title, body }: Notice): readonly string[] {
  const text = body.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\\', '\\\\')
  return ['--app-name=Millrace', '--', title, text]
}

const macOsScript = `on run argv
  display notification (item 2 of argv) with title (item 1 of argv)
end run
`

/** The script comes by standard input and never changes; the texts are its arguments. */
export function macOsRequest({ title, body }: Notice): Pick<ShowRequest, 'args' | 'input'> {
  return { args: ['-', title, body], input: macOsScript }
}

const windowsScript = [
  "$ErrorActionPreference = 'Stop'",
  '$notice = [Console]::In.ReadToEnd() | ConvertFrom-Json',
  '[void][Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]',
  '$kind = [Windows.UI.Notifications.ToastTemplateType]::ToastText02',
  '$xml = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)',
  "$lines = $xml.GetElementsByTagName('text')",
  '[void]$lines.Item(0).AppendChild($xml.CreateTextNode($notice.title))',
  '[void]$lines.Item(1).AppendChild($xml.CreateTextNode($notice.body))',
  '$toast = [Windows.UI.Notifications.ToastNotification]::new($xml)',
  // Windows shows toasts of known programs only; PowerShell is one.
  "$app = '{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'",
  '[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($app).Show($toast)',
].join('; ')

/** The script is one argument and never changes; the texts come by standard input, in ASCII whatever the code page is. */
export function windowsRequest(notice: Notice): Pick<ShowRequest, 'args' | 'input'> {
  const input = JSON.stringify(notice).replaceAll(
    /[^ -~]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return { args: ['-NoLogo', '-NoProfile', '-NonInteractive', '-Command', windowsScript], input }
}

function powerShell(env: Desktop['env']): string {
  return `${env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`
}
