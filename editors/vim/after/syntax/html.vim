" JavaScript in the tags of pages, <? … ?>: the first ?> closes, whatever stands before it; <?xml is text.
if expand('%:e') ==# 'jhtml'
  syntax region jhtmlCode matchgroup=PreProc start=/<?\(xml\)\@![=-]\?/ end=/?>/ keepend
    \ contains=@htmlJavaScript containedin=ALLBUT,jhtmlCode,@htmlJavaScript
  syntax cluster htmlPreproc add=jhtmlCode
endif
