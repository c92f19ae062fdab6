"""From a contract to the text of a function: the stages of a loss, each written in the words of a framework."""
