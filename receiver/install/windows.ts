/**
 * For Windows: the script that installs and enrols, and the line that fetches, checks and runs it. For Windows
 * PowerShell 5.1, which every Windows since Server 2016 has; it was not run on one where it was written.
 */
import type { Line } from "./line.ts";
import type { Offer } from "./packages.ts";

export const WINDOWS_SCRIPT = "windows.ps1";

/** Nothing in it may end the shell that it was pasted into: no `exit`, what fails is thrown. */
export function windowsScript({ name, size, sha256 }: Offer): string {
  return SCRIPT.replace("'FILE'", () => `'${name}'`)
    .replace("'SHA256'", () => `'${sha256}'`)
    .replace("SIZE", () => String(size));
}

/**
 * The line gives the script the client that it fetches with: the certificate is dealt with in one place. Where it is
 * the receiver's own, that client takes any certificate, which is safe because nothing is believed before its SHA-256
 * is as it stands here, and nothing secret is sent. It is compiled: a script block as the callback fails in the
 * threads that call it. And it is that client's alone: what else runs in the shell checks certificates as before.
 * What is run is the value of the comparison's own branch: an error on the way leaves nothing to run. No file is
 * written, so no execution policy holds it up.
 */
export function windowsLine({ url, pinned, sha256, code }: Line): string {
  return [
    "[Net.ServicePointManager]::SecurityProtocol='Tls12'",
    ...(pinned ? [`Add-Type '${ANY_CERTIFICATE}'`] : []),
    `$w=New-Object ${pinned ? "TributaryClient" : "Net.WebClient"}`,
    `$w.BaseAddress='${url.replaceAll("'", "%27")}/'`,
    "[byte[]]$b=@()",
    `$b=$w.DownloadData('${WINDOWS_SCRIPT}')`,
    `& $(if([BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($b)).Replace('-','') -eq '${sha256}'){[scriptblock]::Create([Text.Encoding]::ASCII.GetString($b))}else{{throw 'Tributary: nothing was run: ${WINDOWS_SCRIPT} is not what this line was made for. Can it be reached? Then the packages were renewed: ask for a new line'}}) -Client $w -Code ${code}`,
  ].join(";");
}

/** C# 5, which is what Add-Type of 5.1 compiles. */
const ANY_CERTIFICATE = [
  "using System.Net;public class TributaryClient:WebClient",
  "{protected override WebRequest GetWebRequest(System.Uri u)",
  "{var r=(HttpWebRequest)base.GetWebRequest(u);",
  "r.ServerCertificateValidationCallback=delegate{return true;};return r;}}",
].join("");

const SCRIPT = String.raw`# Installs the Tributary agent on Windows: fetches the package from the receiver, and runs nothing of it before its
# SHA-256 is as it stands here. The receiver made this from its packages; the line of the invitation has compared the
# SHA-256 of this text before it ran it. For Windows PowerShell 5.1.
param(
  # A System.Net.WebClient whose BaseAddress is where the packages are.
  $Client,
  [string]$Code,
  # A folder whose files are sent, and what it is called; more can be added later.
  [string]$Folder,
  [string]$Name,
  # The service's account, when it is not LocalSystem: DOMAIN\gmsa$, NT SERVICE\TributaryAgent.
  [string]$Account
)
$ErrorActionPreference = 'Stop'
$file = 'FILE'
$size = SIZE
$sha256 = 'SHA256'

$user = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
  throw 'Tributary: only an administrator may install a service. Open Windows PowerShell with "Run as administrator" and paste the same line there.'
}
if ($PSVersionTable.PSEdition -eq 'Core') {
  throw 'Tributary: this line is for Windows PowerShell (powershell.exe), and this is PowerShell 7 or later. Paste it there.'
}
if (-not [Environment]::Is64BitOperatingSystem) {
  throw 'Tributary: there is a package for 64-bit Windows alone. Nothing was installed.'
}
if ($Code -notmatch '^trb1_[A-Za-z0-9_-]+$') {
  throw 'Tributary: the code is missing: copy the whole line of the invitation.'
}
$properties = "CODE=$Code"
foreach ($pair in @(@('FOLDER', $Folder), @('NAME', $Name), @('ACCOUNT', $Account))) {
  if ($pair[1] -match '"') { throw ('Tributary: -{0} cannot contain a double quote. Nothing was installed.' -f $pair[0]) }
  if ($pair[1]) { $properties += ' {0}="{1}"' -f $pair[0], $pair[1] }
}

# Administrators and the system alone, from its first moment on, and in a folder where none of the user's other
# programs may rename it: nobody may change a package after it was checked.
$access = New-Object Security.AccessControl.DirectorySecurity
$access.SetSecurityDescriptorSddlForm('O:BAG:BAD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)')
$place = Join-Path (Join-Path $env:SystemRoot 'Temp') ('tributary-' + [Guid]::NewGuid())
$null = [IO.Directory]::CreateDirectory($place, $access)
$package = Join-Path $place $file
$log = Join-Path $place 'install.log'
$keepLog = $false
try {
  try { $Client.DownloadFile($file, $package) }
  catch { throw ('Tributary: {0}{1} cannot be fetched: {2} Nothing was installed.' -f $Client.BaseAddress, $file, $_.Exception.Message) }
  $came = (Get-Item -LiteralPath $package).Length
  if (($came -ne $size) -or ((Get-FileHash -LiteralPath $package -Algorithm SHA256).Hash -ne $sha256)) {
    throw ('Tributary: {0} is not what this line was made for ({1} bytes came, {2} were expected). Paste the line again; if it fails again, the packages were renewed since this invitation: ask for a new line. Nothing was installed.' -f $file, $came, $size)
  }
  Write-Host "Tributary: installing $file"
  $words = '/i "{0}" {1} /qn /norestart /l*v "{2}"' -f $package, $properties, $log
  $ran = Start-Process -FilePath 'msiexec.exe' -ArgumentList $words -Wait -PassThru
  $why = switch ($ran.ExitCode) {
    0 { '' }
    3010 { '' }
    1603 { 'it was undone; the log says why (search it for "return value 3")' }
    1618 { 'another installation is running: wait for its end and paste the line again' }
    1625 { 'a policy of this host forbids it' }
    1633 { 'the package is not for the processor of this host' }
    default { 'the log says why' }
  }
  if ($why) {
    $keepLog = $true
    throw ('Tributary: the agent was not installed (msiexec ended with {0}): {1}. The log: {2}' -f $ran.ExitCode, $why, $log)
  }
  Write-Host 'Tributary: the agent is installed, and its service runs. How it is: tributary-agent status'
  if ($ran.ExitCode -eq 3010) { Write-Host 'Tributary: restart this host to complete the installation.' }
}
finally {
  Remove-Item -LiteralPath $package -Force -ErrorAction SilentlyContinue
  if (-not $keepLog) { Remove-Item -LiteralPath $place -Recurse -Force -ErrorAction SilentlyContinue }
}
`;
