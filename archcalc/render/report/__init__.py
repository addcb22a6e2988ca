"""An analysis as one HTML page: its data, and the file with its script and style inside."""
