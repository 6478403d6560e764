from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), SimpleHTTPRequestHandler).serve_forever()
