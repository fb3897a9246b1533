RECORDED = {}
WHY_WIDE = {}
WIDE = {}
