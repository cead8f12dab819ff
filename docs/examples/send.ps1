# send.ps1 FILE SOURCE/PATH: sends one file, prints the answer with its receipt.
# Windows PowerShell 5.1, PowerShell 7.
param([Parameter(Mandatory = $true)] [string] $File, [Parameter(Mandatory = $true)] [string] $To)
$ErrorActionPreference = 'Stop'
$hex = (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash
$digest = [Convert]::ToBase64String([byte[]] ($hex -split '(..)' -ne '' | ForEach-Object { [Convert]::ToByte($_, 16) }))
$headers = @{
  'Authorization'   = "Bearer $env:TRIBUTARY_KEY"
  'Idempotency-Key' = [guid]::NewGuid().ToString() # the same for every retry: nothing arrives twice
  'Repr-Digest'     = "sha-256=:${digest}:"
}
$path = ($To -split '/' | ForEach-Object { [uri]::EscapeDataString($_) }) -join '/'
[Net.ServicePointManager]::SecurityProtocol = 'Tls12' # Windows PowerShell 5.1 would offer less on old systems
for ($try = 1; ; $try++) {
  try {
    Invoke-RestMethod -Method Put -Uri "$env:TRIBUTARY_URL/v1/files/$path" -Headers $headers -InFile $File -ContentType 'application/octet-stream'
    break
  } catch {
    $answer = $_.Exception.Response
    $status = [int] $answer.StatusCode # 0: no answer
    $after = 0 # seconds: never come before
    if ($answer -and $answer.Headers -match 'Retry-After') { $after = [int] @($answer.Headers.GetValues('Retry-After'))[0] }
    if ($try -ge 5 -or $after -gt 300 -or ($status -ge 400 -and $status -lt 500 -and $status -notin 408, 429)) { throw }
    Start-Sleep -Seconds ([Math]::Max(5 * $try, $after))
  }
}
