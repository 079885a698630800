autocmd BufRead,BufNewFile *.jhtml set filetype=html
