"""Processes, locks, shared memory, queues and pools."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory


def square(number):
    return number * number


def main():
    for method in ["fork", "spawn", "forkserver"]:
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            if list(pool.map(square, range(5))) != [0, 1, 4, 9, 16]:
                print(f"{method}: wrong squares")
    lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
    with lock:
        queue.put(1)
    if queue.get(timeout=10) != 1:
        print("the queue lost an item")
    memory = shared_memory.SharedMemory(create=True, size=1 << 20)
    memory.buf[0] = 7
    again = shared_memory.SharedMemory(memory.name)
    if again.buf[0] != 7:
        print("shared memory is not shared")
    again.close()
    memory.close()
    memory.unlink()


if __name__ == "__main__":
    main()
