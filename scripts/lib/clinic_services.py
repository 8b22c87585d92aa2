"""Stand-ins for the other machines of the practice clinic (scripts/lib/clinic.sh).

clinic_services.py records|share|intruder|names PORT: listens on all IPv4 and IPv6 addresses of its namespace.
records   answers HTTP with a patient's record.
share     sends a listing to whoever connects, as a file share would on its port.
intruder  keeps each session open and sends a line every half second: a remote hand on the workstation.
names     the clinic's name server: UDP, the few names below, and what was asked on standard output.
"""

import http.server
import socket
import socketserver
import sys
import time


class Records(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"Bella, Labrador, 7 years: vaccination due\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Share(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"x-rays/ invoices/ rota.ods\n")


class Intruder(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while True:
                self.request.sendall(b"still here\n")
                time.sleep(0.5)
        except OSError:
            print("session lost", flush=True)


ZONE = {
    "pms.leeds.example": ("10.77.0.20", "fd77::20"),
    "updates.example": ("10.77.0.66", "fd77::66"),  # what the intruder's box calls itself
}
A, AAAA = 1, 28


class Names(socketserver.BaseRequestHandler):
    def handle(self):
        query, sock = self.request
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while at < end:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind = int.from_bytes(query[end + 1 : end + 3], "big")
        print("asked for", name, flush=True)
        v4, v6 = ZONE.get(name, (None, None))
        data = b""
        if v4 and kind == A:
            data = socket.inet_pton(socket.AF_INET, v4)
        elif v6 and kind == AAAA:
            data = socket.inet_pton(socket.AF_INET6, v6)
        answer = b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1" + (60).to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
        flags = b"\x81\x80" if v4 else b"\x81\x83"
        counts = b"\0\1" + (b"\0\1" if data else b"\0\0") + b"\0\0\0\0"
        sock.sendto(query[:2] + flags + counts + query[12 : end + 5] + (answer if data else b""), self.client_address)


class DualStackDatagrams(socketserver.ThreadingUDPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True


class DualStack(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


def main():
    if sys.argv[1] == "names":
        DualStackDatagrams(("::", int(sys.argv[2])), Names).serve_forever()
    handler = {"records": Records, "share": Share, "intruder": Intruder}[sys.argv[1]]
    DualStack(("::", int(sys.argv[2])), handler).serve_forever()


main()
