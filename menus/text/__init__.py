"""Text: alphabets, pagination, formats, catalogues, parsing of what subscribers type or say."""
