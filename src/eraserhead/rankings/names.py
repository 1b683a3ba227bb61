"""Names of the orders that are in no table of rankings: shuffles, and the smallest sets; standard library alone."""

RANDOM = "random"
MINIMUM = "minimum"  # the smallest flipping set of all, where there is a closed form
BEST_FOUND = "best_found"  # the smallest flipping set that was found, where there is none
YARDSTICKS = (MINIMUM, BEST_FOUND)
