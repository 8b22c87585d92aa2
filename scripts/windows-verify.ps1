<#
.SYNOPSIS
  What only a real Windows machine can confirm of Cordon's agent. Prints PASS, FAIL or SKIP for each property.
.DESCRIPTION
  Run it as administrator on a test machine that has a second machine to talk to, with the agent installed and enrolled. It asks you to
  isolate and release this host from the controller, and checks what Windows makes of it. It changes nothing else.
.PARAMETER Peer
  Address of another machine in the same network that answers ping and SMB (port 445).
.PARAMETER Internet
  Address and port that is reachable while the host is not isolated.
.PARAMETER Name
  Host name of the profile with which you will isolate at essential, for the checks of names; without it they are left out.
.PARAMETER AfterReboot
  Only the checks of a host that was isolated at controller-only and then restarted. Run it at once after the restart: the service
  starts two minutes late, and only until then is it seen that the filters stand without it.
.EXAMPLE
  .\windows-verify.ps1 -Peer 192.168.1.20
#>
param(
  [Parameter(Mandatory = $true)][string]$Peer,
  [string]$Internet = '1.1.1.1:443',
  [string]$Name = '',
  [string]$Agent = "$env:ProgramFiles\Cordon\cordon-agent.exe",
  [switch]$AfterReboot
)
$ErrorActionPreference = 'Stop'
$failed = 0

function Check([string]$Name, [scriptblock]$Test) {
  try {
    $result = & $Test
    if ($result -is [string]) { Write-Host "SKIP  $Name  ($result)"; return }
    if ($result) { Write-Host "PASS  $Name" } else { Write-Host "FAIL  $Name"; $script:failed++ }
  } catch {
    Write-Host "FAIL  $Name  ($($_.Exception.Message))"; $script:failed++
  }
}

function Connects([string]$Address, [int]$Port) {
  $client = New-Object System.Net.Sockets.TcpClient
  try { return $client.ConnectAsync($Address, $Port).Wait(3000) -and $client.Connected } catch { return $false } finally { $client.Dispose() }
}

function Filters {
  $file = Join-Path $env:TEMP 'cordon-wfp.xml'
  netsh wfp show filters file="$file" verbose=on | Out-Null
  [xml]$document = Get-Content $file
  Remove-Item $file
  return $document.SelectNodes("//item[displayData/name[starts-with(.,'Cordon: ')]]")
}

function NamesRule { Get-DnsClientNrptRule | Where-Object { $_.DisplayName -eq 'Cordon' } }

function Status { return (& $Agent status -o json | ConvertFrom-Json) }

$internetHost, $internetPort = $Internet -split ':'
$service = Get-CimInstance Win32_Service -Filter "Name='CordonAgent'"

if ($AfterReboot) {
  Write-Host '== ISO-5 after a restart while isolated'
  Check 'the filters stand before the agent runs, and none is disabled' {
    if ($service.State -eq 'Running') { return 'the agent runs already: restart, and come back sooner' }
    $filters = Filters
    $filters.Count -gt 0 -and ($filters | Where-Object { $_.flags.item -contains 'FWPM_FILTER_FLAG_DISABLED' }).Count -eq 0
  }
  Check 'the internet is cut' { -not (Connects $internetHost $internetPort) }
  Check 'SMB to the peer is cut' { -not (Connects $Peer 445) }
  Check 'the agent starts, and the receipt says contained' {
    for ($look = 0; $look -lt 60 -and (Get-Service CordonAgent).Status -ne 'Running'; $look++) { Start-Sleep 5 }
    Start-Sleep 15
    (Status | ConvertTo-Json -Depth 9) -match 'CONTAINED'
  }
  Check 'no filter is disabled' {
    (Filters | Where-Object { $_.flags.item -contains 'FWPM_FILTER_FLAG_DISABLED' }).Count -eq 0
  }
  Write-Host "== $failed failed"
  exit ([int]($failed -gt 0))
}

Write-Host '== Service'
Check 'the service runs and starts by itself' { $service.State -eq 'Running' -and $service.StartMode -eq 'Auto' }
Check 'its path is quoted' { $service.PathName.StartsWith('"') }
Check 'it starts delayed' { (Get-ItemProperty HKLM:\SYSTEM\CurrentControlSet\Services\CordonAgent).DelayedAutostart -eq 1 }
Check 'it has a service SID' { (sc.exe qsidtype CordonAgent) -join ' ' -match 'UNRESTRICTED' }
Check 'it names the privileges it needs' { (sc.exe qprivs CordonAgent) -join ' ' -match 'SeChangeNotifyPrivilege' }
Check 'it is started again after a failure' { (sc.exe qfailure CordonAgent) -join ' ' -match 'RESTART' }
Check 'users cannot stop it' { -not ((sc.exe sdshow CordonAgent) -join '' -match '\(A;;[A-Z]*WP[A-Z]*;;;(IU|BU|WD|AU)\)') }
Check 'users cannot read its state' {
  -not ((Get-Acl "$env:ProgramData\Cordon\State").Access | Where-Object { $_.IdentityReference -match 'Users|Everyone|Benutzer' })
}
Check 'users cannot write its settings' {
  -not ((Get-Acl "$env:ProgramData\Cordon").Access | Where-Object {
      $_.IdentityReference -match 'Users|Everyone|Benutzer' -and $_.FileSystemRights -match 'Write|Create|Append|Modify|FullControl' })
}
Check 'administrators alone change its registry keys, and nothing is inherited' {
  $acls = 'CordonAgent', 'EventLog\Application\CordonAgent' | ForEach-Object { Get-Acl "HKLM:\SYSTEM\CurrentControlSet\Services\$_" }
  -not ($acls | Where-Object {
      -not $_.AreAccessRulesProtected -or ($_.Access | Where-Object {
          $_.IdentityReference -match 'Users|Everyone|Benutzer|SERVICE$' -and "$($_.RegistryRights)" -ne 'ReadKey' }) })
}
Check 'TEL-1 a trace of processes that somebody ends begins anew' {
  logman stop 'Cordon processes' -ets | Out-Null; Start-Sleep 15
  (logman query -ets) -join ' ' -match 'Cordon processes'
}
Check 'the kernel tells who changes files' { (Status | ConvertTo-Json -Depth 9) -match 'Who changed a file is told as far as' }
Check 'a trace of files that somebody ends begins anew' {
  logman query -ets | Select-String -Pattern 'Cordon files( \d+)?' | ForEach-Object { logman stop $_.Matches[0].Value -ets | Out-Null }
  Start-Sleep 15
  (logman query -ets) -join ' ' -match 'Cordon files'
}
Check 'the trace of files has no more than it asks for' {
  $text = (logman query 'Cordon files' -ets) -join ' '
  $text -match 'Microsoft-Windows-Kernel-File' -and $text -match '0x0*1eb0'
}
Check 'file changes name the process that made them' {
  $file = "$env:PUBLIC\Documents\cordon-verify-who.txt"
  $maker = Start-Process cmd.exe "/c echo made>`"$file`"" -WindowStyle Hidden -PassThru -Wait
  Start-Sleep 5
  $eraser = Start-Process cmd.exe "/c del `"$file`"" -WindowStyle Hidden -PassThru -Wait
  "to be looked at by hand: cordonctl events has cordon-verify-who.txt as created by pid $($maker.Id) and deleted by pid $($eraser.Id), both cmd.exe"
}
Check 'canary files belong to whoever owns their folder' {
  $canaries = Get-ChildItem "$env:SystemDrive\Users\*\Documents\.!cordon-canary.rtf" -Force -ErrorAction SilentlyContinue
  if (-not $canaries) { return 'no policy has tripwires on' }
  -not ($canaries | Where-Object { (Get-Acl $_.FullName -ErrorAction Stop).Owner -ne (Get-Acl $_.DirectoryName).Owner })
}
Check 'a killed service comes back' {
  Stop-Process -Id $service.ProcessId -Force
  Start-Sleep 15
  (Get-Service CordonAgent).Status -eq 'Running'
}
Check 'the journals of the watched volumes can be read' {
  -not ((Status | ConvertTo-Json -Depth 9) -match 'found by a scan alone')
}
Check 'what changes while the agent is stopped is told after its start' {
  Stop-Service CordonAgent
  Set-Content "$env:PUBLIC\Documents\cordon-verify-away.txt" 'changed while the agent was stopped'
  New-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce' -Name '!cordon-verify' -Value 'cmd /c rem' -Force | Out-Null
  Start-Service CordonAgent
  Start-Sleep 20
  Remove-ItemProperty 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce' -Name '!cordon-verify'
  Remove-Item "$env:PUBLIC\Documents\cordon-verify-away.txt"
  'to be looked at by hand: cordonctl events has cordon-verify-away.txt and registry:HKLM/.../RunOnce/!cordon-verify, both as from while the agent did not run'
}
Check 'the host key is sealed by the TPM where there is one' {
  $key = [System.Text.Encoding]::ASCII.GetString([System.IO.File]::ReadAllBytes("$env:ProgramData\Cordon\State\host.key"))
  $tpm = (Get-Tpm).TpmReady
  if (-not $tpm -and $key.StartsWith('cordon key sealed by DPAPI')) { return 'this machine has no TPM that is ready; DPAPI seals' }
  $tpm -and $key.StartsWith('cordon key sealed by the TPM')
}
Check 'DEP and ASLR hold for the process' {
  $mitigations = Get-ProcessMitigation -Id (Get-CimInstance Win32_Service -Filter "Name='CordonAgent'").ProcessId
  $mitigations.Dep.Enable -eq 'ON' -and $mitigations.Aslr.HighEntropy -eq 'ON'
}

Write-Host '== Rules on files'
Read-Host 'Scan this host with any rule now (cordonctl scan indicators ... --yara RULES --path C:\Windows), then press Enter while it runs' | Out-Null
Check 'AUT-6 the process that searches files starts with its token, and can make no code and no processes' {
  $child = Get-CimInstance Win32_Process -Filter "Name='cordon-agent.exe' and CommandLine like '%scan-files%'" | Select-Object -First 1
  if (-not $child) { return $false }
  $held = Get-ProcessMitigation -Id $child.ProcessId
  $held.DynamicCode.BlockDynamicCode -eq 'ON' -and $held.ChildProcess.DisallowChildProcessCreation -eq 'ON' -and
    $held.BinarySignature.MicrosoftSignedOnly -eq 'ON' -and $held.ImageLoad.BlockRemoteImageLoads -eq 'ON'
}
Check 'AUT-6 it opens nothing' { 'run windows_platform_test.exe --gtest_filter=WindowsSandbox*.* with sandbox_probe.exe beside it' }

Write-Host '== Before isolation (positive controls: each of these must pass)'
Check 'the internet is reachable' { Connects $internetHost $internetPort }
Check 'the peer answers SMB' { Connects $Peer 445 }
Check 'the peer answers ping' { Test-Connection $Peer -Count 1 -Quiet }
Check 'no filter of Cordon stands' { (Filters).Count -eq 0 }

Write-Host '== Isolation'
$open = New-Object System.Net.Sockets.TcpClient($internetHost, [int]$internetPort)
Read-Host 'Isolate this host now at level controller-only (cordonctl isolate ... --level controller-only), then press Enter' | Out-Null
Check 'ISO-7 the receipt says contained' { (Status | ConvertTo-Json -Depth 9) -match 'CONTAINED' }
Check 'the receipt has nothing against the SID of the service' {
  -not ((Status | ConvertTo-Json -Depth 9) -match 'own SID is not in the')
}
Check 'filters of Cordon stand' { (Filters).Count -gt 0 }
Check 'ISO-4 the way to the controller is bound to the SID of the service' { ((Filters).OuterXml -join '') -match 'S-1-5-80-' }
Check 'the internet is cut' { -not (Connects $internetHost $internetPort) }
Check 'SMB to the peer is cut' { -not (Connects $Peer 445) }
Check 'ping to the peer is cut' { -not (Test-Connection $Peer -Count 1 -Quiet) }
Check 'DNS past the system is cut' {
  try { [void](Resolve-DnsName example.com -Server $internetHost -DnsOnly -ErrorAction Stop); $false } catch { $true }
}
Check 'ISO-2 a connection from before is dead' {
  try {
    $stream = $open.GetStream(); $stream.ReadTimeout = 5000
    $stream.Write([byte[]](22, 3, 1, 0, 0), 0, 5); Start-Sleep 2
    $stream.Write([byte[]](22, 3, 1, 0, 0), 0, 5); [void]$stream.ReadByte(); $false
  } catch { $true }
}
Check 'the agent still reaches its controller' { (Status).connected }
Check 'the same file, started by a person, does not' { 'to be looked at by hand: run cordon-agent.exe enroll with a spare file' }
Check 'loopback is open' {
  $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0); $listener.Start()
  try { Connects '127.0.0.1' $listener.LocalEndpoint.Port } finally { $listener.Stop() }
}
Check 'a lease is renewed by DHCP' { (ipconfig /renew 2>&1) -join ' ' -notmatch 'error|Fehler' }
Check 'raw sockets are cut' {
  $socket = [System.Net.Sockets.Socket]::new('InterNetwork', 'Raw', 'Icmp')
  try {
    $echo = [byte[]](8, 0, 0xf7, 0xff, 0, 0, 0, 0); $socket.ReceiveTimeout = 3000
    [void]$socket.SendTo($echo, [System.Net.IPEndPoint]::new([System.Net.IPAddress]::Parse($Peer), 0))
    $buffer = [byte[]]::new(256); $socket.Receive($buffer) -le 0
  } catch { $true } finally { $socket.Dispose() }
}
Check 'ISO-6 a filter that is taken away comes back' {
  'to be done by hand: delete one filter with a WFP tool; an event names the change, the next receipt is contained'
}
Check 'ISO-5 stopping the agent opens nothing' {
  Stop-Service CordonAgent; try { -not (Connects $internetHost $internetPort) } finally { Start-Service CordonAgent }
}
Check 'boot-time filters are among them' {
  (Filters | Where-Object { $_.flags.item -contains 'FWPM_FILTER_FLAG_BOOTTIME' }).Count -gt 0
}
Write-Host 'INFO  ISO-5 across a reboot: restart now with a ping from the peer running; it must not be answered at any moment. Then run'
Write-Host '      this script with -AfterReboot at once, and once more without it from the start.'

if ($Name) {
  Write-Host '== Names'
  Read-Host "Isolate this host now at essential with a profile that allows $Name, then press Enter" | Out-Null
  Start-Sleep 3
  Check 'the DNS client has one rule of Cordon, and follows it' {
    @(NamesRule).Count -eq 1 -and (Get-DnsClientNrptPolicy -Effective | Where-Object { $_.NameServers -contains '127.67.79.53' })
  }
  Check 'the guard listens on its address, and alone' {
    $at = Get-NetUDPEndpoint -LocalAddress 127.67.79.53 -LocalPort 53
    $other = [System.Net.Sockets.Socket]::new('InterNetwork', 'Dgram', 'Udp')
    $other.SetSocketOption('Socket', 'ReuseAddress', $true)
    $shared = try { $other.Bind([System.Net.IPEndPoint]::new([System.Net.IPAddress]::Parse('127.67.79.53'), 53)); $true } catch { $false } finally { $other.Dispose() }
    @($at).Count -eq 1 -and -not $shared
  }
  Check 'a listed name resolves' { @([System.Net.Dns]::GetHostAddresses($Name)).Count -gt 0 }
  Check 'another name is refused at once' {
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    try { [void][System.Net.Dns]::GetHostAddresses('example.org'); $false } catch { $watch.Elapsed.TotalSeconds -lt 5 }
  }
  Check 'a DNS server that a program asks itself does not answer' {
    try { [void](Resolve-DnsName example.com -Server $internetHost -DnsOnly -ErrorAction Stop); $false } catch { $true }
  }
  Check 'a rule that somebody deletes comes back' {
    NamesRule | Remove-DnsClientNrptRule -Force; Start-Sleep 15
    @(NamesRule).Count -eq 1 -and @([System.Net.Dns]::GetHostAddresses($Name)).Count -gt 0
  }
  Check 'ISO-5 the rule outlives a killed agent, and the next one answers' {
    Stop-Process -Id (Get-CimInstance Win32_Service -Filter "Name='CordonAgent'").ProcessId -Force
    $stood = @(NamesRule).Count -eq 1
    Start-Sleep 20; Clear-DnsClientCache
    $stood -and @([System.Net.Dns]::GetHostAddresses($Name)).Count -gt 0
  }
}

Write-Host '== Release'
Read-Host 'Release this host now (cordonctl release ...), then press Enter' | Out-Null
Check 'no filter of Cordon is left' { (Filters).Count -eq 0 }
Check 'no rule for names is left, and other names resolve again' {
  @(NamesRule).Count -eq 0 -and @([System.Net.Dns]::GetHostAddresses('example.org')).Count -gt 0
}
Check 'the internet is reachable again' { Connects $internetHost $internetPort }
Check 'the peer answers SMB again' { Connects $Peer 445 }
Write-Host 'INFO  ISO-5 at the end: isolate once more. msiexec /x must be refused; msiexec /x ... RELEASE=1 must succeed, leave no filter, no rule for'
Write-Host '      names and no canary file, and cordonctl events --class control must have both the release and the removal.'

Write-Host "== $failed failed"
exit ([int]($failed -gt 0))
