"""An analysis as one HTML page: data (what it shows) and page (the file, with its script and style inside)."""
