"""What a layer costs on platforms beside standard cells, as charts: tables of cost against layer shape, with where each figure is from."""
