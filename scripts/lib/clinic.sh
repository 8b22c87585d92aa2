# A practice clinic out of network namespaces, for scripts/demo and scripts/bench. Source it; all names begin with
# cordon-clinic, all files are below $clinic (a temporary folder). Nothing of the machine's own network is touched.
#
#   front-desk 10.77.0.10  fd77::10   the workstation with the real agent
#   records    10.77.0.20  fd77::20   the practice system: HTTP on 8080
#                                     and the clinic's name server: UDP 53
#   share      10.77.0.30  fd77::30   the file share: TCP 445 (a stand-in that serves one listing)
#   intruder   10.77.0.66  fd77::66   a box on the LAN that should not be there: TCP 4444
#   controller 10.99.0.10  fd99::10   outside, behind the router 10.77.0.1 / fd77::1

clinic_bin=${clinic_bin:?set clinic_bin to the folder with the programs}
clinic_prefix=${clinic_prefix:-cordon-clinic}
clinic_hosts=(front-desk records share intruder)
declare -A clinic_number=([front-desk]=10 [records]=20 [share]=30 [intruder]=66)

on() {  # on HOST COMMAND …: runs it inside the host's namespace
  local host=$1; shift
  ip netns exec "$clinic_prefix-$host" "$@"
}

clinic_network_up() {
  local host number
  ip netns add $clinic_prefix-switch
  ip -n $clinic_prefix-switch link add lan type bridge
  ip -n $clinic_prefix-switch link set lan up
  for host in "${clinic_hosts[@]}" router; do
    number=${clinic_number[$host]:-1}
    ip netns add "$clinic_prefix-$host"
    ip -n "$clinic_prefix-$host" link set lo up
    ip link add eth0 netns "$clinic_prefix-$host" type veth peer name "p$number" netns $clinic_prefix-switch
    ip -n $clinic_prefix-switch link set "p$number" master lan up
    ip -n "$clinic_prefix-$host" addr add "10.77.0.$number/24" dev eth0
    ip -n "$clinic_prefix-$host" addr add "fd77::$number/64" dev eth0 nodad
    ip -n "$clinic_prefix-$host" link set eth0 up
    [ "$host" = router ] || {
      ip -n "$clinic_prefix-$host" route add default via 10.77.0.1
      ip -n "$clinic_prefix-$host" route add default via fd77::1
    }
  done
  mkdir -p "/etc/netns/$clinic_prefix-front-desk"  # `ip netns exec` shows it there as /etc
  echo "nameserver 10.77.0.20" >"/etc/netns/$clinic_prefix-front-desk/resolv.conf"
  ip netns add $clinic_prefix-controller
  ip -n $clinic_prefix-controller link set lo up
  ip link add eth0 netns $clinic_prefix-controller type veth peer name eth1 netns $clinic_prefix-router
  ip -n $clinic_prefix-controller addr add 10.99.0.10/24 dev eth0
  ip -n $clinic_prefix-controller addr add fd99::10/64 dev eth0 nodad
  ip -n $clinic_prefix-controller link set eth0 up
  ip -n $clinic_prefix-controller route add default via 10.99.0.1
  ip -n $clinic_prefix-controller route add default via fd99::1
  ip -n $clinic_prefix-router addr add 10.99.0.1/24 dev eth1
  ip -n $clinic_prefix-router addr add fd99::1/64 dev eth1 nodad
  ip -n $clinic_prefix-router link set eth1 up
  on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# in_background NAME COMMAND …: keeps its pid for clinic_down and its output in $clinic/log/NAME
in_background() {
  local name=$1; shift
  "$@" >"$clinic/log/$name" 2>&1 &
  echo $! >"$clinic/pid/$name"
}

stop_background() {  # stop_background NAME [SIGNAL]
  local pid
  pid=$(cat "$clinic/pid/$1" 2>/dev/null) || return 0
  rm -f "$clinic/pid/$1"
  # A command that is a function (agent, on) runs in a shell of its own, whose child the program is; the shell ends with it.
  pkill "-${2:-TERM}" -P "$pid" || kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

wait_until() {  # wait_until SECONDS WHAT COMMAND …
  local deadline=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "gave up waiting for $what" >&2
      tail -n 20 "$clinic"/log/* >&2 || true
      return 1
    fi
    sleep 0.1
  done
}

cordonctl() { on controller "$clinic_bin/cordonctl" --identity "$clinic/operator.identity" "$@"; }

clinic_services_up() {
  in_background records on records python3 "$(dirname "${BASH_SOURCE[0]}")/clinic_services.py" records 8080
  in_background names on records python3 "$(dirname "${BASH_SOURCE[0]}")/clinic_services.py" names 53
  in_background share on share python3 "$(dirname "${BASH_SOURCE[0]}")/clinic_services.py" share 445
  in_background intruder on intruder python3 "$(dirname "${BASH_SOURCE[0]}")/clinic_services.py" intruder 4444
}

controller_init() {
  "$clinic_bin/cordon-controller" init --data "$clinic/controller" --name 10.99.0.10 --port 8443 \
    --operator alex --operator-out "$clinic/operator.identity" --no-passphrase  # the clinic is gone in a moment
}

controller_up() {
  in_background controller on controller "$clinic_bin/cordon-controller" serve --data "$clinic/controller" \
    --listen 0.0.0.0:8443
  wait_until 20 "the controller" cordonctl hosts
}

agent_config() {  # what the workstation watches: folders of the clinic's own, below $clinic/front-desk
  mkdir -p "$clinic/front-desk/records" "$clinic/front-desk/etc"
  cat >"$clinic/agent.toml" <<TOML
[agent]
state_dir = "$clinic/agent"
host_name = "front-desk"  # the namespaces share the machine's own name
[watch]
paths = ["$clinic/front-desk"]
TOML
}

agent() { on front-desk "$clinic_bin/cordon-agent" "$@"; }

agent_up() {
  in_background agent agent run --config "$clinic/agent.toml"
  wait_until 20 "the agent's first report" sh -c "$(declare -f on cordonctl); clinic='$clinic'; clinic_prefix='$clinic_prefix'; clinic_bin='$clinic_bin'; cordonctl hosts -o json | grep -qw connected"
}

clinic_down() {
  local file host
  for file in "$clinic"/pid/*; do [ -e "$file" ] && stop_background "$(basename "$file")" KILL; done
  for host in "${clinic_hosts[@]}" router controller switch; do
    ip netns pids "$clinic_prefix-$host" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns del "$clinic_prefix-$host" 2>/dev/null || true
  done
  rm -rf "$clinic" "/etc/netns/$clinic_prefix-front-desk"
  rmdir /etc/netns 2>/dev/null || true
}
