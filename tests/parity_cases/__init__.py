"""One file per mechanism: reference parameters by name -> our module -> values by the reference's keys."""
