"""The same section in napari-spatialdata, in its own environment: run by `transcripts`, imports nothing of ours."""

import json
import sys
import threading
import time
import warnings


def anonymous_mb():
    """Return the memory that no file stands behind."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(float(line.split()[1]) / 1024 for line in status if line.startswith("RssAnon:"))


def main():
    """Open the store, show its points, and print the seconds and the memory that it took."""
    warnings.simplefilter("ignore")
    import napari_spatialdata
    import spatialdata
    from napari_spatialdata import Interactive
    from qtpy.QtWidgets import QApplication

    application = QApplication.instance() or QApplication([])
    base = anonymous_mb()
    peak = [base]

    def watch():
        while True:
            peak[0] = max(peak[0], anonymous_mb())
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    begun = time.perf_counter()
    section = spatialdata.read_zarr(sys.argv[1])
    shown = Interactive(section, headless=True)
    shown.add_element(element="rna", element_coordinate_system="global")
    end = time.perf_counter() + 1200
    layers = shown._viewer.layers
    while not len(layers) and time.perf_counter() < end:
        application.processEvents()
        time.sleep(0.01)
    if not len(layers):
        raise SystemExit("nothing was shown")
    shown._viewer.screenshot(flash=False)
    took = time.perf_counter() - begun
    said = f"napari-spatialdata {napari_spatialdata.__version__}: {len(layers[0].data):,} points drawn"
    print(json.dumps({"first_s": took, "memory_mb": peak[0] - base, "said": said}), flush=True)
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
