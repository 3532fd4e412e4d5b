"""Menu map: draws the menu graph of a pack as SVG or Mermaid."""
