"""Network to a drawing: picture (what is drawn), repetition (× N), DOT or Mermaid, and the engine that lays it out."""
