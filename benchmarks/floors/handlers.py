"""The floor of running handlers: the same command as the same user, with its environment and captured output.

`python -m benchmarks.floors.handlers USER COUNT AT_ONCE` prints the runs a second. No queue, no limits, no database.
"""

from __future__ import annotations

import json
import pwd
import subprocess
import sys
import threading
import time

COMMAND = ["/bin/true", "Ines Sommer", "ines"]
VARIABLES = {f"{side}_PARAMETER_{number}": "value" for side in ("OLD", "NEW") for number in range(12)}


def main() -> None:
    user, count, at_once = pwd.getpwnam(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": user.pw_dir, "USER": user.pw_name} | VARIABLES
    left = iter(range(count))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if next(left, None) is None:
                    return
            process = subprocess.Popen(
                COMMAND, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, user=user.pw_uid, group=user.pw_gid, extra_groups=[user.pw_gid],
                start_new_session=True, umask=0o077,
            )  # fmt: skip
            process.communicate()

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(count / (time.perf_counter() - begun)))


if __name__ == "__main__":
    main()
