"""Flows of a test. `serve TCP-PORTS UDP-PORTS [NAME ADDRESS4 ADDRESS6]` echoes on each port (and answers DNS for NAME on
port 53); `keep tcp|udp ADDRESS PORT` opens one flow and, for each line read, says whether a word still makes the round;
`ask SERVER NAME` resolves a name."""
import socket
import struct
import sys
import threading


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve_tcp(port):
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("::", port))
    listener.listen(16)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def echo(connection):
    try:
        while data := connection.recv(64):
            connection.sendall(data)
    except OSError:
        pass


def serve_udp(family_, port, answer):
    server = socket.socket(family_, socket.SOCK_DGRAM)
    if family_ == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind(("::" if family_ == socket.AF_INET6 else "0.0.0.0", port))
    while True:
        data, peer = server.recvfrom(2048)
        try:
            server.sendto(answer(data), peer)
        except OSError:
            pass


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def dns_answer(query, v4, v6):
    question = query[12:query.index(b"\0", 12) + 5]  # what follows it (EDNS) is left out of the answer
    kind = struct.unpack("!H", question[-4:-2])[0]
    address = socket.inet_pton(socket.AF_INET6, v6) if kind == 28 else socket.inet_pton(socket.AF_INET, v4)
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(address)) + address
    return query[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0" + question + record


def serve(tcp_ports, udp_ports, name=None, v4=None, v6=None):
    for port in filter(None, tcp_ports.split(",")):
        threading.Thread(target=serve_tcp, args=(int(port),), daemon=True).start()
    for port in filter(None, udp_ports.split(",")):
        for family_ in (socket.AF_INET, socket.AF_INET6):
            threading.Thread(target=serve_udp, args=(family_, int(port), lambda data: data), daemon=True).start()
    if name:
        threading.Thread(target=serve_udp, daemon=True,
                         args=(socket.AF_INET, 53, lambda query: dns_answer(query, v4, v6))).start()
    print("serving", flush=True)
    sys.stdin.read()


def keep(protocol, address, port):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    flow = socket.socket(family(address), kind)
    flow.settimeout(3)
    flow.connect((address, int(port)))
    for _ in iter(sys.stdin.readline, ""):
        try:
            flow.send(b"word")
            print("lives" if flow.recv(64) else "broken", flush=True)
        except OSError:
            print("broken", flush=True)


def ask(server, name):
    for kind in (1, 28):
        query = b"\0\7\1\0\0\1\0\0\0\0\0\0" + wire_name(name) + struct.pack("!HH", kind, 1)
        resolver = socket.socket(family(server), socket.SOCK_DGRAM)
        resolver.settimeout(5)
        resolver.sendto(query, (server, 53))
        resolver.recv(512)


if __name__ == "__main__":
    {"serve": serve, "keep": keep, "ask": ask}[sys.argv[1]](*sys.argv[2:])
