"""Stand-ins for the other machines of the practice clinic (scripts/lib/clinic.sh).

clinic_services.py records|share|intruder PORT: listens on all IPv4 and IPv6 addresses of its namespace.
records   answers HTTP with a patient's record.
share     sends a listing to whoever connects, as a file share would on its port.
intruder  keeps each session open and sends a line every half second: a remote hand on the workstation.
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


class DualStack(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True


def main():
    handler = {"records": Records, "share": Share, "intruder": Intruder}[sys.argv[1]]
    DualStack(("::", int(sys.argv[2])), handler).serve_forever()


main()
