import time

print("waiting", flush=True)
# One long sleep would miss an interrupt that arrives just before it begins.
while True:
    time.sleep(0.1)
