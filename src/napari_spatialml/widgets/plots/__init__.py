"""The plots dock: scatter, histogram, violin and composition, linked with the canvas. pyqtgraph is imported late."""
