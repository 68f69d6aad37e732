"""A process of its own that draws one chart: JSON in, image out. Run as a script, with nothing of ours imported.

The drawing engine is a JavaScript machine. Out of memory it ends the process it lives in, and it cannot be interrupted: here it
ends nothing but the chart.
"""

import json
import resource
import sys

CPU_SECONDS = 60
DATA_BYTES = 1 << 30
"""Memory it may write to. (Its address space cannot be bounded: it reserves far more than it uses.)"""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    import vl_convert

    order = json.load(sys.stdin.buffer)
    options = {"vl_version": order["version"]} if order["language"] == "vegalite" else {}
    options |= {"scale": order["scale"]} if order["form"] == "png" else {}
    draw = getattr(vl_convert, f"{order['language']}_to_{order['form']}")
    try:
        image = draw(json.dumps(order["spec"]), allowed_base_urls=[], **options)
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.buffer.write(image.encode() if isinstance(image, str) else image)


if __name__ == "__main__":
    main()
