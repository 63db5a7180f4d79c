"""The syntax: text to tree, tree to the one layout."""
