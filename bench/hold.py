"""hold.py - connections that are held open and say nothing, or next to nothing.

usage: hold.py tcp MANY PORT READY    each has asked once, over HTTP, and was answered
       hold.py slow MANY PORT READY   each sends a push, a byte every 100 ms
       hold.py unix MANY PATH READY   none has said anything

Writes READY when all are open; holds them for ten minutes, or until it is killed.
"""
import socket
import sys
import time

how, many, where, ready = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
held = []
for _ in range(many):
    if how == 'unix':
        s = socket.socket(socket.AF_UNIX)
        s.connect(where)
    elif how == 'slow':
        s = socket.create_connection(('127.0.0.1', int(where)))
        s.sendall(b'POST /hooks/github HTTP/1.1\r\nHost: localhost\r\n'
                  b'Content-Type: application/json\r\nContent-Length: 7168\r\n\r\n{')
    else:
        s = socket.create_connection(('127.0.0.1', int(where)))
        s.sendall(b'GET /hooks/github HTTP/1.1\r\nHost: localhost\r\n\r\n')
        if not s.recv(4096).startswith(b'HTTP/1.1 '):
            sys.exit('a connection was not answered')
    held.append(s)
with open(ready, 'w') as f:
    f.write(f'{many}\n')
for _ in range(6000):
    time.sleep(0.1)
    for s in held if how == 'slow' else []:
        s.sendall(b' ')
